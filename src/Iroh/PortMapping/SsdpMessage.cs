using System.Net;
using System.Text;

namespace Iroh.PortMapping;

/// <summary>The search for a gateway by SSDP (UPnP Device Architecture 1.1, §1.3). Pure.</summary>
internal static class SsdpMessage
{
    /// <summary>Where gateways listen (UDP).</summary>
    public static IPEndPoint Multicast { get; } = new(new IPAddress([239, 255, 255, 250]), 1900);

    /// <summary>What is searched for; version 2 devices answer to version 1 as well, most of them.</summary>
    public static IReadOnlyList<string> Targets { get; } =
    [
        "urn:schemas-upnp-org:device:InternetGatewayDevice:1", "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
    ];

    // Header fields beyond these are not read.
    private const int LinesMax = 64;

    /// <summary>Writes a search; devices answer within a second.</summary>
    public static byte[] Search(string target) => Encoding.ASCII.GetBytes(
        $"M-SEARCH * HTTP/1.1\r\nHOST: {Multicast}\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: {target}\r\n\r\n");

    /// <summary>
    /// Reads an answer: where the device is described. Only a gateway that describes itself is believed, by its address and over HTTP: an
    /// answer is not to send us elsewhere.
    /// </summary>
    public static bool TryReadAnswer(ReadOnlySpan<byte> datagram, IPAddress from, out Uri? location)
    {
        location = null;
        string[] lines = Encoding.Latin1.GetString(datagram).Split("\r\n", LinesMax);
        if (!lines[0].StartsWith("HTTP/1.", StringComparison.OrdinalIgnoreCase) || !lines[0].Contains(" 200", StringComparison.Ordinal))
            return false;
        string? target = Field(lines, "ST"), text = Field(lines, "LOCATION");
        if (target is null || !target.Contains(":InternetGatewayDevice:", StringComparison.Ordinal)
            || !Uri.TryCreate(text, UriKind.Absolute, out Uri? uri) || !IsAt(uri, from))
            return false;
        location = uri;
        return true;
    }

    /// <summary>Whether a URL is one of HTTP at this address.</summary>
    public static bool IsAt(Uri uri, IPAddress address) =>
        uri.Scheme == Uri.UriSchemeHttp && IPAddress.TryParse(uri.Host, out IPAddress? host) && host.Equals(address);

    private static string? Field(string[] lines, string name)
    {
        string? line = Array.Find(lines, candidate =>
            candidate.Length > name.Length && candidate[name.Length] == ':' && candidate.StartsWith(name, StringComparison.OrdinalIgnoreCase));
        return line?[(name.Length + 1)..].Trim();
    }
}
