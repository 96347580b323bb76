namespace Iroh.Relay.Server.Metrics;

/// <summary>What a relay has done since it started. Changed with interlocked operations by all its threads.</summary>
internal sealed class RelayCounters
{
    public long BytesSent;
    public long BytesReceived;
    public long PacketsSent;
    public long PacketsReceived;
    public long PacketsDropped;
    public long PingsReceived;
    public long PongsSent;
    public long UnexpectedMessages;
    public long BytesRateLimited;
    public long ConnectionsRateLimited;
    public long Accepts;
    public long Denials;
    public long ProtocolErrors;
    public long GivenUp;
    public long Disconnects;
    public long InactiveAdded;
    public long InactiveRemoved;
    public long Upgrades;
    public long UpgradesRefused;

    /// <summary>Adds to one of them.</summary>
    public static void Add(ref long counter, long value)
    {
        if (value != 0)
            Interlocked.Add(ref counter, value);
    }

    /// <summary>Adds one.</summary>
    public static void Count(ref long counter) => Interlocked.Increment(ref counter);
}
