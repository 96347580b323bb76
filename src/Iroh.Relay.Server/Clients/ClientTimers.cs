namespace Iroh.Relay.Server.Clients;

/// <summary>What is due with a client.</summary>
internal enum ClientDue
{
    /// <summary>Nothing.</summary>
    Nothing,

    /// <summary>Nothing has come for a while: a ping is to be sent. Told once.</summary>
    Ping,

    /// <summary>A ping was not answered, or writing stands still: the client is given up.</summary>
    GivenUp,
}

/// <summary>
/// When a client is asked for a sign of life, and when it is given up. Times are those since the relay's start. Not thread-safe, but
/// <see cref="OnReceived"/> may race with <see cref="Check"/>: at worst a ping too many is sent.
/// </summary>
/// <param name="jitter">The part of the interval that differs from client to client, so that pings do not come in waves.</param>
internal sealed class ClientTimers(TimeSpan jitter)
{
    /// <summary>How long a client may be silent until it is pinged, before the jitter: below what NATs forget TCP connections after.</summary>
    public static readonly TimeSpan PingInterval = TimeSpan.FromSeconds(15);

    /// <summary>The least jitter.</summary>
    public static readonly TimeSpan JitterMin = TimeSpan.FromSeconds(1);

    /// <summary>The most jitter.</summary>
    public static readonly TimeSpan JitterMax = TimeSpan.FromSeconds(5);

    /// <summary>How long a pong may take. Other frames that come meanwhile are signs of life, too, and begin the wait anew.</summary>
    public static readonly TimeSpan PongLimit = TimeSpan.FromSeconds(5);

    /// <summary>How long a client may take nothing of what is written to it.</summary>
    public static readonly TimeSpan WriteLimit = TimeSpan.FromSeconds(2);

    // Ticks, so that they are read and written whole from several threads.
    private long _receivedAt;
    private long _pingAt = long.MinValue;

    /// <summary>Something came from the client, or it could not be read because it is over its rate.</summary>
    public void OnReceived(TimeSpan now) => Volatile.Write(ref _receivedAt, now.Ticks);

    /// <summary>The pong came.</summary>
    public void OnPong() => Volatile.Write(ref _pingAt, long.MinValue);

    /// <summary>Says what is due.</summary>
    /// <param name="now">The time.</param>
    /// <param name="writingSince">Since when the client takes nothing of what is written; null if it takes it.</param>
    public ClientDue Check(TimeSpan now, TimeSpan? writingSince)
    {
        if (writingSince is { } since && now - since >= WriteLimit)
            return ClientDue.GivenUp;
        var received = new TimeSpan(Volatile.Read(ref _receivedAt));
        long pinged = Volatile.Read(ref _pingAt);
        if (pinged != long.MinValue)
        {
            var waitingSince = new TimeSpan(Math.Max(pinged, received.Ticks));
            return now - waitingSince >= PongLimit ? ClientDue.GivenUp : ClientDue.Nothing;
        }

        if (now - received < PingInterval + jitter)
            return ClientDue.Nothing;
        Volatile.Write(ref _pingAt, now.Ticks);
        return ClientDue.Ping;
    }
}
