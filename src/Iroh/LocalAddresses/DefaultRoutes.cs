using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;

namespace Iroh.LocalAddresses;

/// <summary>Finds the default routes of this machine.</summary>
internal static class DefaultRoutes
{
    private const string TableV4 = "/proc/net/route";
    private const string TableV6 = "/proc/net/ipv6_route";

    // include/uapi/linux/route.h
    private const uint RouteUp = 0x1;
    private const uint RouteReject = 0x200;

    // A router with full tables has a million routes; the default is among the first or we do without it.
    private const int LinesMax = 4096;

    /// <summary>The IPv4 and IPv6 default route with the lowest metric each.</summary>
    public static (DefaultRoute? V4, DefaultRoute? V6) Read() => OperatingSystem.IsLinux()
        ? (ParseV4(ReadLines(TableV4)), ParseV6(ReadLines(TableV6)))
        : (FromInterfaces(AddressFamily.InterNetwork), FromInterfaces(AddressFamily.InterNetworkV6));

    /// <summary>Reads <c>/proc/net/route</c> (route(8)): hexadecimal words in the machine's byte order; lines of another form are skipped.</summary>
    internal static DefaultRoute? ParseV4(IEnumerable<string> lines)
    {
        (uint Metric, DefaultRoute Route)? best = null;
        foreach (string line in lines)
        {
            string[] columns = line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            if (columns.Length < 8 || columns[1] != "00000000" || columns[7] != "00000000"
                || !TryHex(columns[2], out uint gateway) || !TryHex(columns[3], out uint flags)
                || (flags & (RouteUp | RouteReject)) != RouteUp
                || !uint.TryParse(columns[6], NumberStyles.None, CultureInfo.InvariantCulture, out uint metric))
                continue;
            if (best is null || metric < best.Value.Metric)
                best = (metric, new DefaultRoute(columns[0], gateway == 0 ? null : new IPAddress(MachineOrder(gateway))));
        }

        return best?.Route;
    }

    /// <summary>Reads <c>/proc/net/ipv6_route</c>: addresses as 32 hexadecimal digits in network order.</summary>
    internal static DefaultRoute? ParseV6(IEnumerable<string> lines)
    {
        (uint Metric, DefaultRoute Route)? best = null;
        foreach (string line in lines)
        {
            string[] columns = line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            if (columns.Length < 10 || columns[0].Any(digit => digit != '0') || columns[1] != "00"
                || columns[4].Length != 32 || !UInt128.TryParse(columns[4], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out UInt128 gateway)
                || !TryHex(columns[5], out uint metric) || !TryHex(columns[8], out uint flags)
                || (flags & (RouteUp | RouteReject)) != RouteUp)
                continue;
            if (best is null || metric < best.Value.Metric)
                best = (metric, new DefaultRoute(columns[9], gateway == 0 ? null : NetworkOrder(gateway)));
        }

        return best?.Route;
    }

    private static byte[] MachineOrder(uint address)
    {
        byte[] bytes = new byte[4];
        BitConverter.TryWriteBytes(bytes, address);
        return bytes;
    }

    private static IPAddress NetworkOrder(UInt128 address)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, address);
        return new IPAddress(bytes);
    }

    private static bool TryHex(string text, out uint value) =>
        uint.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);

    private static IEnumerable<string> ReadLines(string path)
    {
        try
        {
            return [.. File.ReadLines(path).Take(LinesMax)];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private static DefaultRoute? FromInterfaces(AddressFamily family)
    {
        try
        {
            return NetworkInterface.GetAllNetworkInterfaces()
                .Where(candidate => candidate.OperationalStatus == OperationalStatus.Up)
                .SelectMany(candidate => candidate.GetIPProperties().GatewayAddresses
                    .Where(gateway => gateway.Address.AddressFamily == family)
                    .Select(gateway => new DefaultRoute(candidate.Name, gateway.Address)))
                .FirstOrDefault();
        }
        catch (NetworkInformationException)
        {
            return null;
        }
    }
}
