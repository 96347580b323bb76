namespace Blixard.Testing.Namespaces;

/// <summary>A small disk of a <see cref="NetworkLab"/>. It goes with the lab.</summary>
public sealed class LabDisk
{
    private const string BallastName = "ballast";

    internal LabDisk(string directory) => Directory = directory;

    /// <summary>Where it is mounted.</summary>
    public string Directory { get; }

    /// <summary>Writes until nothing more fits.</summary>
    public async Task FillAsync()
    {
        byte[] block = new byte[64 * 1024];
        FileStream ballast = new(Path.Combine(Directory, BallastName), FileMode.Append, FileAccess.Write, FileShare.None, bufferSize: 0);
        await using (ballast.ConfigureAwait(false))
        {
            // Large pieces first, then what is left in pages.
            for (int length = block.Length; length >= 4096; length /= 4)
                await WriteUntilFullAsync(ballast, block.AsMemory(0, length)).ConfigureAwait(false);
        }
    }

    /// <summary>Frees what <see cref="FillAsync"/> took.</summary>
    public void Free() => File.Delete(Path.Combine(Directory, BallastName));

    private static async Task WriteUntilFullAsync(FileStream ballast, ReadOnlyMemory<byte> block)
    {
        try
        {
            while (true)
                await ballast.WriteAsync(block).ConfigureAwait(false);
        }
        catch (IOException)
        {
            // No space left on device.
        }
    }
}
