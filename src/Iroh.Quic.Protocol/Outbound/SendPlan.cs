using Iroh.Quic.Protocol.Paths;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Outbound;

/// <summary>What kind of datagram goes out next.</summary>
internal enum SendKind
{
    /// <summary>None now.</summary>
    Nothing,

    /// <summary>CONNECTION_CLOSE at every level the peer may understand.</summary>
    Close,

    /// <summary>PATH_RESPONSE or PATH_CHALLENGE to an address that the path does not use.</summary>
    OffPath,

    /// <summary>A PATH_CHALLENGE alone, to an address that no path uses.</summary>
    OffPathProbe,

    /// <summary>Acknowledgements, data, probes: whatever the levels have.</summary>
    Packets,

    /// <summary>A probe for a larger MTU.</summary>
    MtuProbe,
}

/// <summary>The next datagram: decided by <see cref="SendScheduler"/>, built by <see cref="DatagramBuilder"/>.</summary>
/// <param name="Kind">What goes into it.</param>
/// <param name="Path">The path id it belongs to.</param>
/// <param name="Network">The 4-tuple it goes to; null for an address that the path knows nothing of.</param>
/// <param name="Address">The addresses of that 4-tuple.</param>
/// <param name="SizeMax">Its largest size in bytes; for an MTU probe the exact one.</param>
/// <param name="WithData">Whether congestion control and pacing allow more than acknowledgements.</param>
/// <param name="Ecn">What to mark the datagram with; the same for all packets in it.</param>
internal readonly record struct SendPlan(
    SendKind Kind, Path Path, NetworkPath? Network, FourTuple Address, int SizeMax, bool WithData, EcnCodepoint Ecn = EcnCodepoint.NotEct);
