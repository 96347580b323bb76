using Microsoft.Win32.SafeHandles;

namespace Blixard.Containers.Archives;

/// <summary>A part of an open file as a stream for reading, with a position of its own. The handle stays its owner's.</summary>
internal sealed class FileSlice(SafeFileHandle file, long offset, long length) : Stream
{
    private long _position;

    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override bool CanWrite => false;

    public override long Length => length;

    public override long Position
    {
        get => _position;
        set => _position = value >= 0 ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "A position is not negative.");
    }

    public override int Read(Span<byte> buffer)
    {
        int wanted = (int)Math.Clamp(length - _position, 0, buffer.Length);
        int count = wanted == 0 ? 0 : RandomAccess.Read(file, buffer[..wanted], offset + _position);
        _position += count;
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override long Seek(long offset, SeekOrigin origin) => Position = origin switch
    {
        SeekOrigin.Begin => offset,
        SeekOrigin.Current => _position + offset,
        _ => length + offset,
    };

    public override void Flush()
    {
    }

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
