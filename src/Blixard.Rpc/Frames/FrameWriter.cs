using System.Buffers;
using Google.Protobuf;

namespace Blixard.Rpc.Frames;

/// <summary>Writes frames to a stream, each in one write. One write at a time; does not own the stream.</summary>
internal sealed class FrameWriter(Stream stream)
{
    /// <summary>Writes a frame and completes when the stream has taken it.</summary>
    /// <param name="type">What it is.</param>
    /// <param name="requestId">The call.</param>
    /// <param name="flags">Its flags.</param>
    /// <param name="payload">The payload, or null for none. The caller has checked its length.</param>
    /// <param name="cancellationToken">Gives the write up; the stream is then of no use any more.</param>
    public async ValueTask WriteAsync(
        FrameType type, Guid requestId, FrameFlags flags, IMessage? payload, CancellationToken cancellationToken)
    {
        int length = payload?.CalculateSize() ?? 0;
        byte[] bytes = ArrayPool<byte>.Shared.Rent(FrameHeader.Length + length);
        try
        {
            new FrameHeader(type, flags, length, requestId).Write(bytes);
            payload?.WriteTo(bytes.AsSpan(FrameHeader.Length, length));
            await stream.WriteAsync(bytes.AsMemory(0, FrameHeader.Length + length), cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
        await stream.FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Writes a frame whose payload is bytes.</summary>
    /// <inheritdoc cref="WriteAsync"/>
    public async ValueTask WriteBytesAsync(
        FrameType type, Guid requestId, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken)
    {
        byte[] bytes = new byte[FrameHeader.Length + payload.Length];
        new FrameHeader(type, FrameFlags.None, payload.Length, requestId).Write(bytes);
        payload.CopyTo(bytes.AsMemory(FrameHeader.Length));
        await stream.WriteAsync(bytes, cancellationToken).ConfigureAwait(false);
        await stream.FlushAsync(cancellationToken).ConfigureAwait(false);
    }
}
