using System.Net;
using System.Xml;
using System.Xml.Linq;

namespace Iroh.PortMapping;

/// <summary>The service of a gateway that forwards ports.</summary>
/// <param name="ServiceType">Its type, as requests name it.</param>
/// <param name="Control">Where requests go.</param>
internal sealed record GatewayService(string ServiceType, Uri Control);

/// <summary>Reads the description that a UPnP gateway gives of itself. Pure.</summary>
internal static class GatewayDescription
{
    // A description nests devices three deep; anything much deeper is an attack.
    private const int DepthMax = 32;

    // Best first: version 2 of a service knows all requests of version 1.
    private static readonly string[] s_services =
    [
        "urn:schemas-upnp-org:service:WANIPConnection:1", "urn:schemas-upnp-org:service:WANIPConnection:2",
        "urn:schemas-upnp-org:service:WANPPPConnection:1",
    ];

    /// <summary>Finds the service.</summary>
    /// <param name="xml">The description.</param>
    /// <param name="location">Where it came from; relative addresses are relative to it.</param>
    /// <returns>Null if it is no description, offers no such service, or names an address that is not the gateway's.</returns>
    public static GatewayService? TryRead(string xml, Uri location)
    {
        if (TryParse(xml) is not { } document || !IPAddress.TryParse(location.Host, out IPAddress? gateway))
            return null;
        Uri @base = Uri.TryCreate(Value(document.Root, "URLBase"), UriKind.Absolute, out Uri? stated) ? stated : location;
        return document.Descendants()
            .Where(element => element.Name.LocalName == "service")
            .Select(service => (Rank: Array.IndexOf(s_services, Value(service, "serviceType")), Service: service))
            .Where(candidate => candidate.Rank >= 0)
            .OrderBy(candidate => candidate.Rank)
            .Select(candidate => Uri.TryCreate(@base, Value(candidate.Service, "controlURL"), out Uri? control) && SsdpMessage.IsAt(control, gateway)
                ? new GatewayService(s_services[candidate.Rank], control)
                : null)
            .FirstOrDefault(service => service is not null);
    }

    /// <summary>Reads XML from a gateway; null if it is none. No document type is processed, so nothing is fetched or expanded.</summary>
    internal static XDocument? TryParse(string xml)
    {
        try
        {
            using var depth = XmlReader.Create(new StringReader(xml), Settings);
            while (depth.Read())
            {
                if (depth.Depth > DepthMax)
                    return null;
            }

            using var reader = XmlReader.Create(new StringReader(xml), Settings);
            return XDocument.Load(reader);
        }
        catch (XmlException)
        {
            return null;
        }
    }

    private static XmlReaderSettings Settings => new() { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null };

    private static string? Value(XElement? parent, string name) =>
        parent?.Elements().FirstOrDefault(element => element.Name.LocalName == name)?.Value.Trim();
}
