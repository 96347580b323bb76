using System.Net;

namespace Iroh.NetReport;

/// <summary>Takes a datagram that came in on a probe socket.</summary>
/// <param name="from">Who sent it, as the network claims; IPv4-mapped addresses are IPv4 here.</param>
/// <param name="datagram">The bytes, valid during the call.</param>
public delegate void ProbeDatagramHandler(IPEndPoint from, ReadOnlySpan<byte> datagram);

/// <summary>
/// The UDP sockets from which a net report asks what the outside sees of them. An endpoint's own sockets, because a NAT's mapping
/// belongs to a port; plain ones where there is no endpoint (<see cref="UdpProbeSockets"/>).
/// </summary>
public interface IProbeSockets
{
    /// <summary>The addresses that the sockets are bound to, at most one of each family, with their real ports.</summary>
    IReadOnlyList<IPEndPoint> LocalEndPoints { get; }

    /// <summary>
    /// Datagrams that are no QUIC packets (RFC 9443: the fixed bit is 0). Raised on the receiving thread: a handler returns at once and
    /// throws nothing.
    /// </summary>
    event ProbeDatagramHandler? Received;

    /// <summary>Sends one datagram from the socket of the destination's family.</summary>
    /// <param name="to">Where to.</param>
    /// <param name="datagram">At most 1,200 bytes; copied before this returns.</param>
    /// <returns>False if there is no socket of that family or the system refused it (no route, no buffer). Never blocks or throws.</returns>
    bool TrySend(IPEndPoint to, ReadOnlySpan<byte> datagram);
}
