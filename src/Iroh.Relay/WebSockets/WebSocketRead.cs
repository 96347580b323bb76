namespace Iroh.Relay.WebSockets;

/// <summary>What <see cref="WebSocketReader.Read"/> found.</summary>
internal enum WebSocketRead
{
    /// <summary>More bytes are needed.</summary>
    Incomplete,

    /// <summary>A whole message, or a control frame.</summary>
    Message,

    /// <summary>The peer broke RFC 6455; nothing more can be read.</summary>
    ProtocolError,

    /// <summary>A message is longer than any the relay protocol has; nothing more can be read.</summary>
    TooBig,
}
