namespace Iroh.Relay.Server.WebSockets;

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

    /// <summary>The client broke the protocol.</summary>
    ProtocolError = 1002,

    /// <summary>A message is longer than any frame of the relay protocol.</summary>
    MessageTooBig = 1009,

    /// <summary>The client is not let in.</summary>
    PolicyViolation = 1008,
}

/// <summary>What reading led to.</summary>
internal enum WebSocketReadResult
{
    /// <summary>Something whole was read.</summary>
    Done,

    /// <summary>The bytes so far are the beginning of something.</summary>
    NeedsMore,

    /// <summary>No client that follows RFC 6455 sends this.</summary>
    Violation,

    /// <summary>It is longer than is taken.</summary>
    TooBig,
}
