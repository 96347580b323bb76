using System.Collections.Concurrent;

namespace Iroh.Blobs.Store.Backends;

/// <summary>A file in memory, which takes room only for segments that were written.</summary>
internal sealed class MemoryBlobFile : IBlobFile
{
    // A group: what is written is at least that long, mostly.
    private const int SegmentLength = 16 * 1024;

    private readonly ConcurrentDictionary<long, byte[]> _segments = new();
    private long _length;

    public MemoryBlobFile()
    {
    }

    /// <param name="content">Copied.</param>
    public MemoryBlobFile(ReadOnlySpan<byte> content) => Write(0, content);

    public bool IsOnDevice => false;

    public long Length => Interlocked.Read(ref _length);

    public int Read(long offset, Span<byte> destination)
    {
        int total = (int)Math.Min(destination.Length, Math.Max(0, Length - offset));
        Span<byte> rest = destination[..total];
        while (!rest.IsEmpty)
        {
            (long index, int start) = (offset / SegmentLength, (int)(offset % SegmentLength));
            int count = Math.Min(rest.Length, SegmentLength - start);
            if (_segments.TryGetValue(index, out byte[]? segment))
                segment.AsSpan(start, count).CopyTo(rest);
            else
                rest[..count].Clear();
            rest = rest[count..];
            offset += count;
        }

        return total;
    }

    public ValueTask<int> ReadAsync(long offset, Memory<byte> destination, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return ValueTask.FromResult(Read(offset, destination.Span));
    }

    public void Write(long offset, ReadOnlySpan<byte> content)
    {
        while (!content.IsEmpty)
        {
            (long index, int start) = (offset / SegmentLength, (int)(offset % SegmentLength));
            int count = Math.Min(content.Length, SegmentLength - start);
            byte[] segment = _segments.GetOrAdd(index, static _ => new byte[SegmentLength]);
            content[..count].CopyTo(segment.AsSpan(start));
            content = content[count..];
            offset += count;
        }

        long length = Interlocked.Read(ref _length);
        while (length < offset)
            length = Math.Max(Interlocked.CompareExchange(ref _length, offset, length), Interlocked.Read(ref _length));
    }

    public void SetLength(long length)
    {
        Interlocked.Exchange(ref _length, length);
        foreach (long index in _segments.Keys)
            if (index * SegmentLength >= length)
                _segments.TryRemove(index, out _);
    }

    public void Flush()
    {
    }

    public void Dispose()
    {
    }
}
