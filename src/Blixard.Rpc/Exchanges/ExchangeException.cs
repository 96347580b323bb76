namespace Blixard.Rpc.Exchanges;

/// <summary>The peer broke its direction of an exchange off, or the call that carried it ended early.</summary>
public sealed class ExchangeException : IOException
{
    /// <summary>The peer broke it off with a code of the protocol.</summary>
    public ExchangeException(ulong code)
        : base($"the peer broke the exchange off with code {code}") => Code = code;

    /// <summary>The call ended.</summary>
    public ExchangeException(string message, Exception? cause = null)
        : base(message, cause)
    {
    }

    /// <summary>The protocol's code; null when the call ended without one.</summary>
    public ulong? Code { get; }
}
