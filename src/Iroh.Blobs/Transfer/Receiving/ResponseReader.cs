using System.Buffers;

namespace Iroh.Blobs.Transfer.Receiving;

/// <summary>Reads a response in large pieces and hands it out in exact ones, under the limits of a <see cref="SourceWatch"/>. One owner.</summary>
/// <param name="input">What the source sends; the caller's.</param>
/// <param name="watch">The limits; the caller's.</param>
/// <param name="bufferLength">What is read at once at most: <see cref="ContentLength"/> or <see cref="RequestLength"/>.</param>
internal sealed class ResponseReader(Stream input, SourceWatch watch, int bufferLength = ResponseReader.ContentLength) : IDisposable
{
    /// <summary>For content: a read is cheap beside the bytes, and they are far below a window of the stream.</summary>
    public const int ContentLength = 256 * 1024;

    /// <summary>For requests, and what is pushed: holds any item of a verified stream, and little while many peers send slowly.</summary>
    public const int RequestLength = 32 * 1024;

    private readonly byte[] _buffer = ArrayPool<byte>.Shared.Rent(bufferLength);
    private int _start;
    private int _end;

    /// <summary>Bytes that came from the source, used or not.</summary>
    public long BytesReceived { get; private set; }

    /// <summary>Called with the length of what came, each time; null = nobody wants to know.</summary>
    public Action<int>? OnReceived { get; set; }

    /// <summary>Waits until a number of bytes is here.</summary>
    /// <param name="count">At most the length of the buffer.</param>
    /// <returns>False if the response ends before; what there is of it can be read.</returns>
    public ValueTask<bool> FillAsync(int count) => _end - _start >= count ? new ValueTask<bool>(true) : FillSlowlyAsync(count);

    /// <summary>Bytes that are here and were not taken.</summary>
    public int Available => _end - _start;

    /// <summary>The next bytes, which are here. Valid until the next <see cref="FillAsync"/>.</summary>
    public ReadOnlyMemory<byte> Take(int count)
    {
        ReadOnlyMemory<byte> taken = _buffer.AsMemory(_start, count);
        _start += count;
        return taken;
    }

    /// <inheritdoc/>
    public void Dispose() => ArrayPool<byte>.Shared.Return(_buffer);

    private async ValueTask<bool> FillSlowlyAsync(int count)
    {
        if (bufferLength - _start < count || _start == _end)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
        }

        while (_end - _start < count)
        {
            watch.OnWait();
            int read = await input.ReadAsync(_buffer.AsMemory(_end, bufferLength - _end), watch.Token).ConfigureAwait(false);
            watch.OnReceived(read);
            if (read == 0)
                return false;
            _end += read;
            BytesReceived += read;
            OnReceived?.Invoke(read);
        }

        return true;
    }
}
