using Iroh.Cryptography;

namespace Blixard.Images.Tests.Support;

/// <summary>A directory of one test, with files of reproducible content.</summary>
internal sealed class TestDirectory : IDisposable
{
    public string Root { get; } = Directory.CreateTempSubdirectory("blixard-images-").FullName;

    public static byte[] Content(ulong seed, int length)
    {
        var bytes = new byte[length];
        new SeededRandomSource(seed).Fill(bytes);
        return bytes;
    }

    public string Store(string name = "store") => Path.Combine(Root, name);

    public string Write(string name, byte[] content)
    {
        string path = Path.Combine(Root, name);
        File.WriteAllBytes(path, content);
        return path;
    }

    public void Dispose() => Directory.Delete(Root, recursive: true);
}
