using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Streams;

/// <summary>What a <see cref="StreamEvent"/> tells.</summary>
internal enum StreamEventKind
{
    /// <summary>The peer opened at least one stream of the direction. Not repeated until accepting one was refused for lack of any.</summary>
    Opened,

    /// <summary>The stream has data, its end or a reset to read. Not repeated until a read was blocked.</summary>
    Readable,

    /// <summary>The stream takes data again after a write that was blocked. Not repeated until a write was blocked again.</summary>
    Writable,

    /// <summary>The peer has acknowledged all data and the end of the stream; the sending half is gone.</summary>
    Finished,

    /// <summary>The peer asked to stop sending, with a code; RESET_STREAM was queued in answer. Comes once.</summary>
    Stopped,

    /// <summary>The peer gave the stream up, with a code that the next read returns. Comes once.</summary>
    ResetReceived,

    /// <summary>The peer allows more streams of the direction after an open that was refused. Not repeated until another is refused.</summary>
    StreamsAvailable,
}

/// <summary>
/// Something that happened to a stream. Events are edge-triggered, so a queue that its owner drains after every input holds at most a
/// handful for each stream.
/// </summary>
/// <param name="Kind">What happened.</param>
/// <param name="StreamId">The stream; for <see cref="StreamEventKind.Opened"/> the next one to accept; otherwise meaningless without a stream.</param>
/// <param name="Direction">The direction of that stream, or of the streams that are available.</param>
/// <param name="Code">The application error code of <see cref="StreamEventKind.Stopped"/> and <see cref="StreamEventKind.ResetReceived"/>.</param>
internal readonly record struct StreamEvent(StreamEventKind Kind, StreamId StreamId, StreamDirection Direction, ulong Code = 0);
