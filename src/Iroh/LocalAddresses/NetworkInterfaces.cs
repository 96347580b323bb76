using System.Globalization;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;

namespace Iroh.LocalAddresses;

/// <summary>Lists the addresses of this machine's interfaces, and its routes.</summary>
internal static class NetworkInterfaces
{
    // Linux: one line an address; the fifth column holds the flags (if_addr.h).
    private const string InterfaceTable = "/proc/net/if_inet6";
    private const int DeprecatedFlag = 0x20;
    private const int TentativeFlag = 0x40;

    /// <summary>Addresses and default routes as they are now.</summary>
    public static NetworkState Read()
    {
        (DefaultRoute? routeV4, DefaultRoute? routeV6) = DefaultRoutes.Read();
        return new NetworkState(List(), routeV4, routeV6);
    }

    /// <summary>The addresses as they are now. An interface that vanishes while it is read is left out.</summary>
    public static IReadOnlyList<InterfaceAddress> List()
    {
        HashSet<IPAddress> deprecated = ListDeprecated();
        var addresses = new List<InterfaceAddress>();
        foreach (NetworkInterface networkInterface in NetworkInterface.GetAllNetworkInterfaces())
        {
            bool isUp;
            UnicastIPAddressInformationCollection unicast;
            try
            {
                // Linux reports loopback and tunnels as "unknown" although they carry traffic.
                isUp = networkInterface.OperationalStatus is OperationalStatus.Up or OperationalStatus.Unknown;
                unicast = networkInterface.GetIPProperties().UnicastAddresses;
            }
            catch (NetworkInformationException)
            {
                continue;
            }

            foreach (UnicastIPAddressInformation information in unicast)
            {
                IPAddress address = information.Address;
                if (address.AddressFamily is AddressFamily.InterNetwork or AddressFamily.InterNetworkV6)
                    {
                    addresses.Add(new InterfaceAddress(
                        address, isUp, deprecated.Contains(WithoutScope(address)), networkInterface.Name, information.PrefixLength));
                }
            }
        }

        return addresses;
    }

    private static IPAddress WithoutScope(IPAddress address) =>
        address.AddressFamily == AddressFamily.InterNetworkV6 ? new IPAddress(address.GetAddressBytes()) : address;

    private static HashSet<IPAddress> ListDeprecated()
    {
        var deprecated = new HashSet<IPAddress>();
        string[] lines;
        try
        {
            lines = File.Exists(InterfaceTable) ? File.ReadAllLines(InterfaceTable) : [];
        }
        catch (IOException)
        {
            return deprecated;
        }

        foreach (string line in lines)
        {
            string[] columns = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (columns.Length >= 5
                && columns[0].Length == 32
                && int.TryParse(columns[4], NumberStyles.HexNumber, CultureInfo.InvariantCulture, out int flags)
                && (flags & (DeprecatedFlag | TentativeFlag)) != 0)
                deprecated.Add(new IPAddress(Convert.FromHexString(columns[0])));
        }

        return deprecated;
    }
}
