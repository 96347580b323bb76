using System.Net;
using System.Net.Sockets;
using Iroh.NetReport;
using Iroh.PortMapping;

namespace Iroh.LocalAddresses;

/// <summary>Addresses of an endpoint that none of its interfaces has: a NAT's or a load balancer's.</summary>
internal sealed record OutsideAddresses
{
    /// <summary>What the user says, such as a forwarded port.</summary>
    public IReadOnlyCollection<IPEndPoint> Configured { get; init; } = [];

    /// <summary>The port that the gateway forwards; null if none.</summary>
    public MappedPort? Mapped { get; init; }

    /// <summary>The last net report; null before the first.</summary>
    public NetReportResult? Report { get; init; }

    /// <summary>Whether the user chose the port of the IPv4 socket, and so may have forwarded it.</summary>
    public bool IsV4PortFixed { get; init; }

    /// <summary>
    /// The addresses. Where the NAT's mapping varies by destination and the IPv4 port is a fixed one, the same port on the public
    /// address is among them: a guess at a static forward.
    /// </summary>
    /// <param name="sockets">What the sockets are bound to, with their real ports.</param>
    public IEnumerable<IPEndPoint> Resolve(IReadOnlyCollection<IPEndPoint> sockets)
    {
        foreach (IPEndPoint configured in Configured)
            yield return configured;
        if (Mapped is not null)
            yield return Mapped.External;
        if (Report?.GlobalV4 is { } globalV4)
        {
            yield return globalV4;
            if (IsV4PortFixed && Report.MappingVariesByDestinationV4 == true
                && sockets.FirstOrDefault(socket => socket.AddressFamily == AddressFamily.InterNetwork) is { } socketV4)
                yield return new IPEndPoint(globalV4.Address, socketV4.Port);
        }

        if (Report?.GlobalV6 is { } globalV6)
            yield return globalV6;
    }
}
