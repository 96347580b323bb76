using Iroh.Base;

namespace Iroh.Relay.Client;

/// <summary>Why there is no connection to a relay.</summary>
public enum RelayFailure
{
    /// <summary>The host name is unknown, or nothing answers at its addresses.</summary>
    Unreachable,

    /// <summary>It took longer than <see cref="RelayClientOptions.ConnectTimeout"/>.</summary>
    TimedOut,

    /// <summary>No TLS connection; usually the certificate is not trusted.</summary>
    TlsFailed,

    /// <summary>What answers is no relay that can be spoken to.</summary>
    NotARelay,

    /// <summary>The relay does not let this endpoint in.</summary>
    Denied,

    /// <summary>The connection ended, or the relay broke the protocol.</summary>
    Lost,
}

/// <summary>A relay connection could not be made, or has ended.</summary>
public sealed class RelayConnectException : Exception
{
    /// <summary>Names the relay, the cause and what it said.</summary>
    public RelayConnectException(RelayUrl relay, RelayFailure failure, string message, Exception? inner = null)
        : base(message, inner)
    {
        Relay = relay;
        Failure = failure;
    }

    /// <summary>Which relay.</summary>
    public RelayUrl Relay { get; }

    /// <summary>What kind of failure.</summary>
    public RelayFailure Failure { get; }
}
