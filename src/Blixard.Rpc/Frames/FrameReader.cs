using Blixard.Rpc.Calls;

namespace Blixard.Rpc.Frames;

/// <summary>Reads frames from a stream. Not thread-safe; does not own the stream.</summary>
internal sealed class FrameReader(Stream stream) : IDisposable
{
    private readonly byte[] _header = new byte[FrameHeader.Length];
    private readonly RpcMessageBuffer _payload = new();

    /// <summary>The next frame. What is wrong with the bytes is in the result; exceptions are the stream's own (reset, lost) or
    /// <see cref="OperationCanceledException"/>.</summary>
    public async ValueTask<FrameRead> ReadAsync(CancellationToken cancellationToken)
    {
        int count = await stream.ReadAtLeastAsync(_header, _header.Length, throwOnEndOfStream: false, cancellationToken)
            .ConfigureAwait(false);
        if (count == 0)
            return FrameRead.End;
        FrameError error = FrameHeader.TryRead(_header.AsSpan(0, count), out FrameHeader header);
        if (error != FrameError.None)
            return FrameRead.Malformed(error);
        ReadOnlyMemory<byte> payload = await _payload.ReadAsync(stream, header.PayloadLength, cancellationToken).ConfigureAwait(false);
        return payload.Length == header.PayloadLength
            ? new FrameRead(FrameReadKind.Frame, header, payload, FrameError.None)
            : FrameRead.Malformed(FrameError.Truncated);
    }

    public void Dispose() => _payload.Dispose();
}

/// <summary>What reading a frame came to.</summary>
internal enum FrameReadKind
{
    /// <summary>A frame.</summary>
    Frame,
    /// <summary>The stream ended between frames.</summary>
    End,
    /// <summary>The bytes are no frame; the stream is of no use any more.</summary>
    Malformed,
}

/// <summary>A frame, the end, or what is wrong.</summary>
/// <param name="Kind">Which.</param>
/// <param name="Header">The frame's header.</param>
/// <param name="Payload">The frame's payload; the reader's memory, valid until the next read.</param>
/// <param name="Error">What is wrong.</param>
internal readonly record struct FrameRead(FrameReadKind Kind, FrameHeader Header, ReadOnlyMemory<byte> Payload, FrameError Error)
{
    public static FrameRead End => new(FrameReadKind.End, default, default, FrameError.None);

    public static FrameRead Malformed(FrameError error) => new(FrameReadKind.Malformed, default, default, error);
}
