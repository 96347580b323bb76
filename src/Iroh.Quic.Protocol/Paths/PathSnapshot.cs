using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Paths;

/// <summary>One path at one moment.</summary>
public readonly record struct PathSnapshot
{
    /// <summary>Its id, the same at both ends.</summary>
    public PathId Id { get; init; }

    /// <summary>The addresses it uses; the local one is unspecified if the socket has not told it.</summary>
    public FourTuple Address { get; init; }

    /// <summary>How this end uses it.</summary>
    public PathStatus Status { get; init; }

    /// <summary>How the peer says that it uses it; null if it has said nothing.</summary>
    public PathStatus? PeerStatus { get; init; }

    /// <summary>Whether the peer is known to receive at the address.</summary>
    public bool IsValidated { get; init; }

    /// <summary>Whether data went unanswered for so long that other paths carry it now.</summary>
    public bool IsSilent { get; init; }

    /// <summary>Whether what this end sends now goes this way.</summary>
    public bool CarriesData { get; init; }

    /// <summary>Smoothed round trip time; the assumed one before the first sample.</summary>
    public TimeSpan SmoothedRtt { get; init; }

    /// <summary>The smallest round trip time seen, zero before the first sample.</summary>
    public TimeSpan MinRtt { get; init; }

    /// <summary>The largest datagram that it is known to carry, in bytes of UDP payload.</summary>
    public int Mtu { get; init; }

    /// <summary>Congestion window in bytes.</summary>
    public long CongestionWindow { get; init; }

    /// <summary>Bytes sent and neither acknowledged nor lost.</summary>
    public long BytesInFlight { get; init; }

    /// <summary>Bytes of UDP payload sent.</summary>
    public ulong BytesSent { get; init; }

    /// <summary>Bytes of UDP payload received that authenticated.</summary>
    public ulong BytesReceived { get; init; }

    /// <summary>Bytes of packets declared lost.</summary>
    public ulong BytesLost { get; init; }

    /// <summary>Packets declared lost.</summary>
    public ulong PacketsLost { get; init; }
}
