namespace Iroh.Relay.Server.Clients;

/// <summary>
/// Spreads the clients of a relay that shuts down, so that they do not come back all at once. The relay closes their connections one
/// after the other; those that understand the announcement come back at their time, the others at once.
/// </summary>
internal static class RestartSchedule
{
    /// <summary>The most time that closing all connections takes.</summary>
    public static readonly TimeSpan SpreadMax = TimeSpan.FromSeconds(5);

    /// <summary>For how long clients are told to try to come back.</summary>
    public static readonly TimeSpan TryFor = TimeSpan.FromSeconds(60);

    // A handshake costs the successor a signature check and a handful of packets: so many a second leave it time to forward.
    private const int ClientsPerSecond = 1000;

    // A program that is replaced is back within about this time.
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(500);

    /// <summary>Over which time the connections are closed.</summary>
    public static TimeSpan Spread(int clients)
    {
        TimeSpan wanted = TimeSpan.FromSeconds((double)clients / ClientsPerSecond);
        return wanted < SpreadMax ? wanted : SpreadMax;
    }

    /// <summary>When one client's connection is closed, and when it is to come back; both from now.</summary>
    /// <param name="index">Which of the clients it is, from 0.</param>
    /// <param name="clients">How many there are.</param>
    /// <param name="jitter">From 0 to 1, random.</param>
    public static (TimeSpan CloseIn, TimeSpan ReconnectIn) For(int index, int clients, double jitter)
    {
        TimeSpan spread = Spread(clients);
        TimeSpan close = spread * ((double)index / Math.Max(1, clients));
        return (close, close + s_pause + (s_pause * jitter));
    }
}
