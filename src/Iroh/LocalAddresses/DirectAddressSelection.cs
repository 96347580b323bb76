using System.Net;
using System.Net.Sockets;

namespace Iroh.LocalAddresses;

/// <summary>
/// Which addresses an endpoint tells others to try: a pure function of its sockets and of the machine's interfaces, by the
/// rules of iroh. A socket bound to one address contributes just that one, loopback included. A socket bound to the wildcard
/// contributes the machine's addresses of its family: public and private ones; unique-local and link-local IPv4 ones only
/// where nothing better exists; loopback only if there is nothing else at all; link-local and deprecated IPv6 never. What is known
/// from outside comes on top (<see cref="OutsideAddresses"/>).
/// </summary>
internal static class DirectAddressSelection
{
    private enum Rank
    {
        Preferred,
        LastResort,
        Loopback,
        Never,
    }

    /// <summary>Selects the addresses, sorted as on the wire (IPv4 first) and without duplicates.</summary>
    /// <param name="sockets">What the sockets are bound to, with their real ports.</param>
    /// <param name="interfaces">The machine's addresses.</param>
    /// <param name="outside">What is known from outside; null for nothing.</param>
    public static IReadOnlyList<IPEndPoint> Select(
        IReadOnlyCollection<IPEndPoint> sockets, IReadOnlyCollection<InterfaceAddress> interfaces, OutsideAddresses? outside = null)
    {
        IPEndPoint[] others = outside is null ? [] : [.. outside.Resolve(sockets)];
        var exact = new List<IPEndPoint>();
        var candidates = new List<(Rank Rank, IPEndPoint EndPoint)>();
        foreach (IPEndPoint socket in sockets)
        {
            if (!IsWildcard(socket.Address))
            {
                exact.Add(socket);
                continue;
            }

            foreach (InterfaceAddress candidate in interfaces)
            {
                if (candidate.Address.AddressFamily == socket.AddressFamily && RankOf(candidate) is var rank and not Rank.Never)
                    candidates.Add((rank, new IPEndPoint(candidate.Address, socket.Port)));
            }
        }

        IEnumerable<IPEndPoint> chosen = candidates.Where(candidate => candidate.Rank == Rank.Preferred).Select(candidate => candidate.EndPoint);
        if (!chosen.Any())
            chosen = candidates.Where(candidate => candidate.Rank == Rank.LastResort).Select(candidate => candidate.EndPoint);
        if (!chosen.Any() && exact.Count == 0 && others.Length == 0)
            chosen = candidates.Select(candidate => candidate.EndPoint);
        return
        [
            .. exact.Concat(chosen).Concat(others).Distinct()
                .Select(endPoint => new Base.IpTransportAddress(endPoint)).Order().Select(address => address.EndPoint),
        ];
    }

    private static Rank RankOf(InterfaceAddress candidate)
    {
        IPAddress address = candidate.Address;
        if (!candidate.IsUp || candidate.IsDeprecated || address.IsIPv6LinkLocal || address.IsIPv6Multicast)
            return Rank.Never;
        if (IPAddress.IsLoopback(address))
            return Rank.Loopback;
        bool isLinkLocalIPv4 = address.AddressFamily == AddressFamily.InterNetwork && address.GetAddressBytes() is [169, 254, ..];
        return isLinkLocalIPv4 || address.IsIPv6UniqueLocal ? Rank.LastResort : Rank.Preferred;
    }

    private static bool IsWildcard(IPAddress address) => address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any);
}
