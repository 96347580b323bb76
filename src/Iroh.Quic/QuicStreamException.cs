namespace Iroh.Quic;

/// <summary>What ended one direction of a stream before its data was complete.</summary>
public enum QuicStreamFailure
{
    /// <summary>The sending end gave up: no more data comes (RESET_STREAM, RFC 9000 §3.5). Data not yet read is gone.</summary>
    Reset,

    /// <summary>The receiving end wants no more data (STOP_SENDING, RFC 9000 §3.5).</summary>
    Stopped,
}

/// <summary>One direction of a stream has ended early; the connection and its other streams go on.</summary>
public sealed class QuicStreamException : QuicException
{
    internal QuicStreamException(QuicStreamFailure failure, ulong code)
        : base(failure == QuicStreamFailure.Reset
            ? $"The peer reset its sending side of the stream with code {code}."
            : $"The peer stopped reading the stream with code {code}.") => (Failure, Code) = (failure, code);

    /// <summary>Which direction ended, and how.</summary>
    public QuicStreamFailure Failure { get; }

    /// <summary>The application error code that the peer gave.</summary>
    public ulong Code { get; }

    /// <summary>False: the peer's application decided.</summary>
    public override bool IsTransient => false;
}
