using System.Buffers;

namespace Blixard.Rpc.Calls;

/// <summary>Reads pieces of a stream whose length the peer announced, without believing the announcement: the memory grows
/// with the bytes that really came. Not thread-safe.</summary>
internal sealed class RpcMessageBuffer : IDisposable
{
    // Most messages are smaller; a peer that announces 10 MiB and sends nothing costs this much.
    private const int FirstSize = 4096;
    private byte[] _bytes = ArrayPool<byte>.Shared.Rent(FirstSize);

    /// <summary>Reads <paramref name="length"/> bytes.</summary>
    /// <returns>The bytes, valid until the next call; fewer than asked when the stream ended.</returns>
    public async ValueTask<ReadOnlyMemory<byte>> ReadAsync(Stream stream, int length, CancellationToken cancellationToken)
    {
        int filled = 0;
        while (filled < length)
        {
            if (filled == _bytes.Length)
                Grow(filled);
            int room = Math.Min(_bytes.Length, length) - filled;
            int count = await stream.ReadAsync(_bytes.AsMemory(filled, room), cancellationToken).ConfigureAwait(false);
            if (count == 0)
                break;
            filled += count;
        }
        return _bytes.AsMemory(0, filled);
    }

    public void Dispose()
    {
        byte[] bytes = _bytes;
        _bytes = [];
        if (bytes.Length > 0)
            ArrayPool<byte>.Shared.Return(bytes);
    }

    private void Grow(int filled)
    {
        byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(FirstSize, filled * 2));
        _bytes.AsSpan(0, filled).CopyTo(larger);
        if (_bytes.Length > 0)
            ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = larger;
    }
}
