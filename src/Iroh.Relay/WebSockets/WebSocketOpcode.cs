namespace Iroh.Relay.WebSockets;

/// <summary>What a WebSocket frame is (RFC 6455 §5.2).</summary>
internal enum WebSocketOpcode : byte
{
    Continuation = 0,
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

/// <summary>Status codes of a close frame (RFC 6455 §7.4.1).</summary>
internal enum WebSocketCloseCode : ushort
{
    Normal = 1000,
    ProtocolError = 1002,
    NoStatus = 1005,
    TooBig = 1009,
}

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
