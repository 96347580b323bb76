using Microsoft.Win32.SafeHandles;

namespace Blixard.MicroVm.Console;

/// <summary>
/// A VM's serial output on disk: the hypervisor appends to one file, and what was there before the last rotation is in a second one.
/// Positions count the bytes since this object was made, so a reader notices neither rotation nor restart. Thread-safe.
/// </summary>
public sealed class ConsoleLog
{
    /// <summary>A file of this length is rotated: two of them hold a day of a chatty guest and a boot many times over.</summary>
    public const long FileLengthMax = 4 << 20;

    private readonly Lock _lock = new();
    private readonly long _fileLengthMax;
    private long _currentStart;

    /// <summary>Uses the console log of a VM's directory.</summary>
    /// <param name="directory">The VM's directory.</param>
    /// <param name="fileLengthMax">The length in bytes at which a rotation is due.</param>
    public ConsoleLog(string directory, long fileLengthMax = FileLengthMax)
    {
        Path = System.IO.Path.Combine(directory, "console.log");
        PreviousPath = Path + ".1";
        _fileLengthMax = fileLengthMax;
        _currentStart = LengthOf(PreviousPath);
    }

    /// <summary>The file to which the hypervisor appends (opened with O_APPEND, so that it may be cut under it).</summary>
    public string Path { get; }

    /// <summary>The file with what was written before the last rotation.</summary>
    public string PreviousPath { get; }

    /// <summary>Whether the current file has reached its limit.</summary>
    public bool IsRotationDue => LengthOf(Path) >= _fileLengthMax;

    /// <summary>The position after the last byte.</summary>
    public long End
    {
        get
        {
            lock (_lock)
                return _currentStart + LengthOf(Path);
        }
    }

    /// <summary>
    /// Makes the current file the previous one and goes on with an empty one. Bytes which are appended between the copy and the cut
    /// are lost, so the caller pauses the guest.
    /// </summary>
    public void Rotate()
    {
        lock (_lock)
        {
            long length = LengthOf(Path);
            if (length == 0)
                return;
            string copy = PreviousPath + ".new";
            File.Copy(Path, copy, overwrite: true);
            length = LengthOf(copy);
            File.Move(copy, PreviousPath, overwrite: true);
            using (SafeFileHandle file = File.OpenHandle(Path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete))
                RandomAccess.SetLength(file, 0);
            _currentStart += length;
        }
    }

    /// <summary>
    /// Reads from <paramref name="position"/>, which is moved behind what was read; a position whose bytes are gone is moved to the
    /// oldest byte there is. Returns the number of bytes, 0 if there is nothing yet.
    /// </summary>
    public int Read(ref long position, Span<byte> destination)
    {
        lock (_lock)
        {
            long oldest = _currentStart - LengthOf(PreviousPath);
            if (position < oldest)
                position = oldest;
            int count = position < _currentStart
                ? ReadFile(PreviousPath, position - oldest, destination)
                : ReadFile(Path, position - _currentStart, destination);
            position += count;
            return count;
        }
    }

    /// <summary>The position from which on there are at most <paramref name="lines"/> lines, found by reading backwards.</summary>
    public long FindTail(int lines)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(lines);
        Span<byte> block = stackalloc byte[256];
        long end = End;
        long start = end;
        int newlines = 0;
        while (start > 0)
        {
            long from = Math.Max(0, start - block.Length);
            int count = (int)(start - from);
            if (!TryFill(from, block[..count]))
                return start;
            for (int i = count - 1; i >= 0; i--)
            {
                // The newline at the very end closes the last line instead of opening another.
                if (block[i] == '\n' && from + i + 1 != end && ++newlines == lines)
                    return from + i + 1;
            }

            start = from;
        }

        return lines == 0 ? end : start;
    }

    /// <summary>Reads a whole block that may lie in both files; false if its beginning is gone.</summary>
    private bool TryFill(long from, Span<byte> block)
    {
        while (!block.IsEmpty)
        {
            long at = from;
            int count = Read(ref at, block);
            if (count == 0 || at - count != from)
                return false;
            from += count;
            block = block[count..];
        }

        return true;
    }

    private static int ReadFile(string path, long offset, Span<byte> destination)
    {
        try
        {
            using SafeFileHandle file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            return RandomAccess.Read(file, destination, offset);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return 0;
        }
    }

    private static long LengthOf(string path)
    {
        var file = new FileInfo(path);
        return file.Exists ? file.Length : 0;
    }
}
