namespace Iroh.Relay.Client;

/// <summary>What a <see cref="RelaySession"/> wants done.</summary>
internal enum RelayActionKind
{
    /// <summary>Dial; the result is told with the action's attempt.</summary>
    Dial,

    /// <summary>Stop the dial, or close the connection, of the action's attempt.</summary>
    Abandon,

    /// <summary>Send a ping with the action's data, ahead of datagrams.</summary>
    Ping,

    /// <summary>Throw away the datagrams that wait for a connection: they are too old.</summary>
    DropQueued,

    /// <summary>State, health or last error changed.</summary>
    Notify,
}

/// <summary>One thing to do.</summary>
/// <param name="Kind">What.</param>
/// <param name="Attempt">Which dial and connection it is about.</param>
/// <param name="PingData">What a ping carries.</param>
internal readonly record struct RelayAction(RelayActionKind Kind, int Attempt = 0, ulong PingData = 0);
