namespace Iroh.Relay.Server.Names;

/// <summary>The name server cannot start. The message says why and what to do.</summary>
public sealed class NameServerException : Exception
{
    internal NameServerException(string message, Exception inner)
        : base(message, inner)
    {
    }
}
