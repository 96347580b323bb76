namespace Iroh.Quic.Protocol.Connections;

/// <summary>Counters and measurements of a connection at one moment. Path values are those of the path in use.</summary>
public readonly record struct ConnectionStatistics
{
    /// <summary>Smoothed round trip time (RFC 9002 §5.3); the configured initial value before the first sample.</summary>
    public TimeSpan SmoothedRtt { get; init; }

    /// <summary>The smallest round trip time seen, zero before the first sample.</summary>
    public TimeSpan MinRtt { get; init; }

    /// <summary>The last round trip time measured, zero before the first sample.</summary>
    public TimeSpan LatestRtt { get; init; }

    /// <summary>Congestion window in bytes.</summary>
    public ulong CongestionWindow { get; init; }

    /// <summary>Bytes sent and neither acknowledged nor lost.</summary>
    public ulong BytesInFlight { get; init; }

    /// <summary>The largest datagram that the path is known to carry, in bytes of UDP payload.</summary>
    public int Mtu { get; init; }

    /// <summary>Bytes of UDP payload sent.</summary>
    public ulong BytesSent { get; init; }

    /// <summary>Bytes of UDP payload received, whether or not they authenticated.</summary>
    public ulong BytesReceived { get; init; }

    /// <summary>Bytes of packets declared lost.</summary>
    public ulong BytesLost { get; init; }

    /// <summary>UDP datagrams sent.</summary>
    public ulong DatagramsSent { get; init; }

    /// <summary>UDP datagrams received.</summary>
    public ulong DatagramsReceived { get; init; }

    /// <summary>QUIC packets sent.</summary>
    public ulong PacketsSent { get; init; }

    /// <summary>QUIC packets that authenticated and were no duplicates.</summary>
    public ulong PacketsReceived { get; init; }

    /// <summary>Packets declared lost (RFC 9002 §6.1), without MTU probes.</summary>
    public ulong PacketsLost { get; init; }

    /// <summary>Packets that were not for this connection, did not authenticate, or were duplicates.</summary>
    public ulong PacketsDropped { get; init; }

    /// <summary>How many times the congestion window was reduced.</summary>
    public ulong CongestionEvents { get; init; }

    /// <summary>How many times the 1-RTT keys were updated, by either end (RFC 9001 §6).</summary>
    public ulong KeyUpdates { get; init; }

    /// <summary>How many times the probe timer expired.</summary>
    public ulong ProbeTimeouts { get; init; }

    /// <summary>How many times the path moved to another address.</summary>
    public ulong Migrations { get; init; }
}
