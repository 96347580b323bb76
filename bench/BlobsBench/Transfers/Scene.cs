using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;

namespace BlobsBench.Transfers;

/// <summary>A folder with a file of random bytes, gone at the end.</summary>
internal sealed class Scene : IDisposable
{
    private int _folders;

    public Scene(int mebibytes)
    {
        Folder = Directory.CreateTempSubdirectory("blobs-bench-").FullName;
        File = Path.Combine(Folder, "file");
        Length = (long)mebibytes << 20;
        using FileStream stream = System.IO.File.Create(File);
        var part = new byte[1 << 20];
        for (int i = 0; i < mebibytes; i++)
        {
            RandomNumberGenerator.Fill(part);
            stream.Write(part);
        }
    }

    public string Folder { get; }

    public string File { get; }

    public long Length { get; }

    /// <summary>A new folder.</summary>
    public string NewFolder() => Directory.CreateDirectory(Path.Combine(Folder, $"{++_folders}")).FullName;

    /// <summary>Bytes in so many seconds, for a table.</summary>
    public string Rate(double seconds, int copies = 1) =>
        (copies * Length / seconds / (1 << 20)).ToString("0", CultureInfo.InvariantCulture);

    /// <summary>Throws unless the files are equal.</summary>
    public void Check(string copy)
    {
        using Process compare = Process.Start("cmp", [File, copy]);
        compare.WaitForExit();
        if (compare.ExitCode != 0)
            throw new InvalidOperationException($"{copy} is not what was sent.");
        System.IO.File.Delete(copy);
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
