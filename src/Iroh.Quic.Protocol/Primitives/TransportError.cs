namespace Iroh.Quic.Protocol.Primitives;

/// <summary>
/// What a peer did wrong, in the form in which CONNECTION_CLOSE reports it (RFC 9000 §19.19, §20.1). Rooms return it up to
/// the connection, which closes; it is a value, never an exception.
/// </summary>
/// <param name="Code">The transport error code, a variable-length integer; see <see cref="TransportErrorCode"/>.</param>
/// <param name="FrameType">The type of the frame that caused it, 0 if none.</param>
/// <param name="Reason">English, for a person reading the other end's log.</param>
public sealed record TransportError(ulong Code, ulong FrameType, string Reason)
{
    /// <summary>An error that no particular frame caused.</summary>
    public TransportError(ulong code, string reason)
        : this(code, 0, reason)
    {
    }
}

/// <summary>Transport error codes (RFC 9000 §20.1, draft-ietf-quic-multipath-21 §5).</summary>
public static class TransportErrorCode
{
    /// <summary>Closed without an error.</summary>
    public const ulong NoError = 0x00;

    /// <summary>The endpoint failed inside.</summary>
    public const ulong InternalError = 0x01;

    /// <summary>The server does not take new connections.</summary>
    public const ulong ConnectionRefused = 0x02;

    /// <summary>More data than the limits allow.</summary>
    public const ulong FlowControlError = 0x03;

    /// <summary>A stream id beyond the limit.</summary>
    public const ulong StreamLimitError = 0x04;

    /// <summary>A frame for a stream in a state that does not allow it.</summary>
    public const ulong StreamStateError = 0x05;

    /// <summary>The final size of a stream changed or was exceeded.</summary>
    public const ulong FinalSizeError = 0x06;

    /// <summary>A frame that cannot be read.</summary>
    public const ulong FrameEncodingError = 0x07;

    /// <summary>Transport parameters that cannot be read or hold a forbidden value.</summary>
    public const ulong TransportParameterError = 0x08;

    /// <summary>More connection ids than the limit.</summary>
    public const ulong ConnectionIdLimitError = 0x09;

    /// <summary>Any other breach of the protocol.</summary>
    public const ulong ProtocolViolation = 0x0a;

    /// <summary>A token that the server does not accept.</summary>
    public const ulong InvalidToken = 0x0b;

    /// <summary>The application closed while its own close frame could not yet be sent.</summary>
    public const ulong ApplicationError = 0x0c;

    /// <summary>More CRYPTO data than the buffer holds.</summary>
    public const ulong CryptoBufferExceeded = 0x0d;

    /// <summary>A key update that breaks the rules.</summary>
    public const ulong KeyUpdateError = 0x0e;

    /// <summary>A key was used as often as its AEAD allows.</summary>
    public const ulong AeadLimitReached = 0x0f;

    /// <summary>No path is left that can carry packets.</summary>
    public const ulong NoViablePath = 0x10;

    /// <summary>The first of 256 codes that carry a TLS alert in their low byte (RFC 9001 §4.8).</summary>
    public const ulong CryptoErrorBase = 0x100;
}
