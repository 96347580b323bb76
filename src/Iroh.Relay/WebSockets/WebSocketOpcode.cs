namespace Iroh.Relay.WebSockets;

/// <summary>What a WebSocket frame is (RFC 6455 §5.2).</summary>
internal enum WebSocketOpcode : byte
{
    /// <summary>More of the message that an earlier frame began.</summary>
    Continuation = 0,

    /// <summary>A message of text, or its first frame.</summary>
    Text = 1,

    /// <summary>A message of bytes, or its first frame.</summary>
    Binary = 2,

    /// <summary>The sender sends nothing after this.</summary>
    Close = 8,

    /// <summary>To be answered by a pong.</summary>
    Ping = 9,

    /// <summary>The answer to a ping.</summary>
    Pong = 10,
}

/// <summary>Why a connection is closed, as told in a close frame (RFC 6455 §7.4.1).</summary>
internal enum WebSocketCloseCode : ushort
{
    /// <summary>All is done.</summary>
    Normal = 1000,

    /// <summary>The relay shuts down.</summary>
    GoingAway = 1001,

    /// <summary>The other end broke the protocol.</summary>
    ProtocolError = 1002,

    /// <summary>The client is not let in.</summary>
    PolicyViolation = 1008,

    /// <summary>A message is longer than any frame of the relay protocol.</summary>
    MessageTooBig = 1009,
}
