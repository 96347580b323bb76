using System.Net;
using System.Net.NetworkInformation;

namespace Iroh.Lookup.Resolvers;

/// <summary>The DNS servers that the operating system is set to use.</summary>
internal static class SystemResolvers
{
    private const string ConfigurationFile = "/etc/resolv.conf";
    private const int Port = 53;

    // As the C library (MAXNS): what comes after is not used by other programs either.
    private const int ServersMax = 3;

    // Google's, as iroh.
    private static readonly IPEndPoint[] s_fallback = [new(IPAddress.Parse("8.8.8.8"), Port), new(IPAddress.Parse("8.8.4.4"), Port)];

    /// <summary>The servers as they are set now; public ones where none are.</summary>
    public static IReadOnlyList<IPEndPoint> List()
    {
        IReadOnlyList<IPEndPoint> servers = OperatingSystem.IsWindows() ? ListInterfaces() : ListFile();
        return servers.Count > 0 ? servers : s_fallback;
    }

    /// <summary>The servers that a resolv.conf names.</summary>
    public static IReadOnlyList<IPEndPoint> Parse(IEnumerable<string> lines)
    {
        var servers = new List<IPEndPoint>();
        foreach (string line in lines)
        {
            string[] words = line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            if (servers.Count < ServersMax && words.Length >= 2 && words[0] == "nameserver" && IPAddress.TryParse(words[1], out IPAddress? address))
                servers.Add(new IPEndPoint(address, Port));
        }

        return servers;
    }

    private static IReadOnlyList<IPEndPoint> ListFile()
    {
        try
        {
            return Parse(File.ReadLines(ConfigurationFile));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private static IReadOnlyList<IPEndPoint> ListInterfaces() =>
    [
        .. NetworkInterface.GetAllNetworkInterfaces()
            .Where(networkInterface => networkInterface.OperationalStatus == OperationalStatus.Up)
            .SelectMany(networkInterface => networkInterface.GetIPProperties().DnsAddresses)
            .Distinct()
            .Take(ServersMax)
            .Select(address => new IPEndPoint(address, Port)),
    ];
}
