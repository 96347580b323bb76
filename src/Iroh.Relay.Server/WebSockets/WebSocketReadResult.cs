namespace Iroh.Relay.Server.WebSockets;

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
