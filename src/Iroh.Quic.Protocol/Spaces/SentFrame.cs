using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Spaces;

/// <summary>What kind of frame a <see cref="SentFrame"/> remembers, and so which room hears of its fate.</summary>
internal enum SentFrameKind : byte
{
    /// <summary>PING, and everything else whose loss needs no repair.</summary>
    Ping,

    /// <summary>
    /// An ACK: Id = encryption level, A = largest packet number it acknowledged, B = path id. When it arrives, older received ranges can go.
    /// </summary>
    Ack,

    /// <summary>CRYPTO: Id = encryption level, A = offset, B = length.</summary>
    Crypto,

    /// <summary>STREAM: Id = stream, A = offset, B = length, Flag = FIN.</summary>
    Stream,

    /// <summary>RESET_STREAM: Id = stream.</summary>
    ResetStream,

    /// <summary>STOP_SENDING: Id = stream.</summary>
    StopSending,

    /// <summary>MAX_DATA: A = limit.</summary>
    MaxData,

    /// <summary>MAX_STREAM_DATA: Id = stream, A = limit.</summary>
    MaxStreamData,

    /// <summary>MAX_STREAMS: Flag = unidirectional, A = limit.</summary>
    MaxStreams,

    /// <summary>STREAMS_BLOCKED: Flag = unidirectional, A = limit.</summary>
    StreamsBlocked,

    /// <summary>NEW_CONNECTION_ID (or its path form): Id = path id, A = sequence number.</summary>
    NewConnectionId,

    /// <summary>RETIRE_CONNECTION_ID (or its path form): Id = path id, A = sequence number.</summary>
    RetireConnectionId,

    /// <summary>NEW_TOKEN.</summary>
    NewToken,

    /// <summary>HANDSHAKE_DONE.</summary>
    HandshakeDone,

    /// <summary>DATAGRAM: never repaired, counted when lost. A = length.</summary>
    Datagram,

    /// <summary>PATH_CHALLENGE: repaired by the validation timer, not by loss.</summary>
    PathChallenge,

    /// <summary>PATH_RESPONSE: never repaired (RFC 9000 §13.3).</summary>
    PathResponse,

    /// <summary>OBSERVED_ADDRESS: Id = path id, A = sequence number.</summary>
    ObservedAddress,

    /// <summary>ADD_ADDRESS: A = sequence number.</summary>
    AddAddress,

    /// <summary>REMOVE_ADDRESS: A = sequence number.</summary>
    RemoveAddress,

    /// <summary>REACH_OUT: A = round, B = place of the address in the round.</summary>
    ReachOut,

    /// <summary>PATH_ABANDON: Id = path id.</summary>
    PathAbandon,

    /// <summary>PATH_STATUS_AVAILABLE or PATH_STATUS_BACKUP: Id = path id, A = sequence number. Only the newest is repaired.</summary>
    PathStatus,

    /// <summary>MAX_PATH_ID: A = limit.</summary>
    MaxPathId,

    /// <summary>PATHS_BLOCKED: A = limit. Repaired while the limit stands.</summary>
    PathsBlocked,

    /// <summary>PATH_CIDS_BLOCKED: Id = path id. Repaired while there is no id.</summary>
    PathCidsBlocked,

    /// <summary>NAT_MAPPING: A = sequence number.</summary>
    NatMapping,

    /// <summary>PORT_SEARCH: repeated in time, not when lost.</summary>
    PortSearch,
}

/// <summary>
/// What a sent packet contained, small enough to be kept by value until the packet is acknowledged or lost. It holds names and
/// offsets, never bytes: a repair asks the owning room what is current, so stale values are never sent twice.
/// </summary>
/// <param name="Kind">Says which room owns the frame and what the numbers mean.</param>
/// <param name="Flag">A boolean of the kind.</param>
/// <param name="Id">A stream id or path id, by kind.</param>
/// <param name="A">A number of the kind.</param>
/// <param name="B">A number of the kind.</param>
internal readonly record struct SentFrame(SentFrameKind Kind, bool Flag, ulong Id, ulong A, ulong B)
{
    /// <summary>The stream that <see cref="Id"/> names.</summary>
    public StreamId StreamId => new(Id);

    /// <summary>The path that <see cref="Id"/> names.</summary>
    public PathId PathId => new((uint)Id);
}
