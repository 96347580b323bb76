using Iroh.Quic.Protocol.Codec;

namespace Iroh.Quic.Protocol.Streams;

/// <summary>
/// The six stream limits of one end's transport parameters (RFC 9000 §18.2). "Local" and "remote" are seen from the end that declares
/// them: local streams are those it opens itself.
/// </summary>
/// <param name="MaxData">initial_max_data: bytes on all streams together.</param>
/// <param name="MaxStreamDataBidirectionalLocal">initial_max_stream_data_bidi_local, bytes a stream.</param>
/// <param name="MaxStreamDataBidirectionalRemote">initial_max_stream_data_bidi_remote, bytes a stream.</param>
/// <param name="MaxStreamDataUnidirectional">initial_max_stream_data_uni, bytes a stream.</param>
/// <param name="MaxStreamsBidirectional">initial_max_streams_bidi, at most 2^60.</param>
/// <param name="MaxStreamsUnidirectional">initial_max_streams_uni, at most 2^60.</param>
internal readonly record struct StreamLimits(
    ulong MaxData,
    ulong MaxStreamDataBidirectionalLocal,
    ulong MaxStreamDataBidirectionalRemote,
    ulong MaxStreamDataUnidirectional,
    ulong MaxStreamsBidirectional,
    ulong MaxStreamsUnidirectional);

/// <summary>What this end allows its peer, and how much it buffers of its own data. Immutable.</summary>
internal sealed record StreamConfiguration
{
    /// <summary>
    /// The largest receive window of one stream: 1 GiB. A received byte may lie anywhere in the window, and the table of blocks that
    /// covers it (8 bytes for each 16 KiB) is sized by the window: half a megabyte at this limit.
    /// </summary>
    public const ulong StreamReceiveWindowMax = 1UL << 30;

    /// <summary>
    /// The most streams of one direction that a peer may be allowed at once: 65,536. It can open all of them by naming the highest, and
    /// each takes a place in the tables (under 100 bytes), so one frame can cost no more than a few megabytes.
    /// </summary>
    public const ulong StreamsMax = 1UL << 16;

    /// <summary>
    /// The limits declared to the peer; the receive windows keep these sizes. The defaults of iroh, except for the connection's window,
    /// which bounds the memory that a peer can make this end hold: 16 MiB.
    /// </summary>
    public StreamLimits Local { get; init; } = new(16 << 20, 1_250_000, 1_250_000, 1_250_000, 100, 100);

    /// <summary>Bytes of one stream that may be written and not yet acknowledged. Above 0, default 1 MiB: 10 MB/s at 100 ms.</summary>
    public int StreamSendWindow { get; init; } = 1 << 20;

    /// <summary>The same over all streams. Above 0, default 10,000,000.</summary>
    public long SendWindow { get; init; } = 10_000_000;

    /// <summary>Checks every range above.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is outside its range.</exception>
    public void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Local.MaxData, VarInt.Max);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Local.MaxStreamDataBidirectionalLocal, StreamReceiveWindowMax);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Local.MaxStreamDataBidirectionalRemote, StreamReceiveWindowMax);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Local.MaxStreamDataUnidirectional, StreamReceiveWindowMax);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Local.MaxStreamsBidirectional, StreamsMax);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Local.MaxStreamsUnidirectional, StreamsMax);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(StreamSendWindow);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(SendWindow);
    }
}
