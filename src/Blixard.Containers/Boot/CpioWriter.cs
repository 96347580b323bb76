using System.Text;

namespace Blixard.Containers.Boot;

/// <summary>Writes a cpio archive in the form that the kernel unpacks at boot ("newc": kernel documentation, driver-api/early-userspace/buffer-format).
/// All belongs to root and is from 1970, so that the same content gives the same bytes. Not thread-safe; the stream stays the caller's.</summary>
internal sealed class CpioWriter(Stream stream)
{
    private uint _inode;
    private long _written;

    public void AddDirectory(string path, int mode = 0x1ED) => Add(path, 0x4000 | mode, [], 0, 0);

    public void AddFile(string path, int mode, ReadOnlySpan<byte> content) => Add(path, 0x8000 | mode, content, 0, 0);

    public void AddCharacterDevice(string path, int mode, int major, int minor) => Add(path, 0x2000 | mode, [], major, minor);

    /// <summary>Writes the end.</summary>
    public void Complete()
    {
        _inode = 0;
        Add("TRAILER!!!", 0, [], 0, 0, links: 1);
    }

    private void Add(string path, int mode, ReadOnlySpan<byte> content, int major, int minor, int links = 1)
    {
        byte[] name = [.. Encoding.ASCII.GetBytes(path), 0];
        string header = "070701" + string.Concat(((IEnumerable<long>)
        [
            ++_inode, mode, 0, 0, links, 0, content.Length, 0, 0, major, minor, name.Length, 0,
        ]).Select(static number => number.ToString("X8")));
        Write(Encoding.ASCII.GetBytes(header));
        Write(name);
        Pad();
        Write(content);
        Pad();
    }

    private void Write(ReadOnlySpan<byte> bytes)
    {
        stream.Write(bytes);
        _written += bytes.Length;
    }

    private void Pad() => Write(new byte[(4 - (_written % 4)) % 4]);
}
