using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;

namespace Blixard.Node.Startup;

/// <summary>Where gRPC is served, and how others are told.</summary>
internal static class GrpcAddress
{
    /// <summary>The address with a port: the one that was asked for, else the former one if it is free, else any free one.</summary>
    public static IPEndPoint Choose(IPEndPoint wanted, int formerPort)
    {
        if (wanted.Port != 0)
            return wanted;
        return TryPort(wanted.Address, formerPort) ?? TryPort(wanted.Address, 0) ?? wanted;
    }

    /// <summary>"host:port" for others: of an address that stands for all, the machine's first that is not its loopback.</summary>
    public static string Advertise(IPEndPoint bound)
    {
        if (!bound.Address.Equals(IPAddress.Any) && !bound.Address.Equals(IPAddress.IPv6Any))
            return bound.ToString();
        IPAddress[] addresses = [.. NetworkInterface.GetAllNetworkInterfaces()
            .Where(network => network.OperationalStatus == OperationalStatus.Up && network.NetworkInterfaceType != NetworkInterfaceType.Loopback)
            .SelectMany(network => network.GetIPProperties().UnicastAddresses)
            .Select(address => address.Address)
            .Where(address => !IPAddress.IsLoopback(address) && !address.IsIPv6LinkLocal)];
        IPAddress? first = addresses.FirstOrDefault(address => address.AddressFamily == AddressFamily.InterNetwork)
            ?? (bound.AddressFamily == AddressFamily.InterNetworkV6 ? addresses.FirstOrDefault() : null);
        return new IPEndPoint(first ?? IPAddress.Loopback, bound.Port).ToString();
    }

    private static IPEndPoint? TryPort(IPAddress address, int port)
    {
        try
        {
            // Nobody connects to it, so the port is free again at once.
            using var probe = new TcpListener(address, port);
            probe.Start();
            return (IPEndPoint)probe.LocalEndpoint;
        }
        catch (SocketException)
        {
            return null;
        }
    }
}
