namespace Iroh.Quic;

/// <summary>A connection has ended, or could not be made: this and every later operation on it and its streams fails.</summary>
public sealed class QuicConnectionException : QuicException
{
    /// <summary>The server does not take new connections (RFC 9000 §20.1).</summary>
    private const ulong ConnectionRefused = 0x02;

    internal QuicConnectionException(QuicCloseReason reason)
        : base($"The connection is over: {reason}.") => CloseReason = reason;

    /// <summary>Why it ended, with the code and the words from the wire.</summary>
    public QuicCloseReason CloseReason { get; }

    /// <summary>Who or what ended it.</summary>
    public QuicCloseKind Kind => CloseReason.Kind;

    /// <summary>The code on the wire; <see cref="Kind"/> says from which table it is.</summary>
    public ulong Code => CloseReason.Code;

    /// <summary>Whether a new connection to the same peer may succeed: after a timeout, a reset or a refusal for load.</summary>
    public override bool IsTransient =>
        Kind is QuicCloseKind.TimedOut or QuicCloseKind.Reset
        || (Kind == QuicCloseKind.TransportClosed && Code == ConnectionRefused);
}
