using System.Globalization;
using System.Xml.Linq;

namespace Iroh.PortMapping;

/// <summary>Requests to a UPnP gateway's service and their answers (SOAP 1.1, WANIPConnection:1). Pure.</summary>
internal static class GatewayAction
{
    /// <summary>Error: the external port belongs to somebody else.</summary>
    public const int Conflict = 718;

    /// <summary>Error: the gateway knows only leases without an end.</summary>
    public const int OnlyPermanentLeases = 725;

    private static readonly XNamespace s_soap = "http://schemas.xmlsoap.org/soap/envelope/";

    /// <summary>Writes a request's body.</summary>
    /// <param name="service">The type of the service.</param>
    /// <param name="action">What it shall do.</param>
    /// <param name="arguments">In the order that the service prescribes.</param>
    public static string Write(string service, string action, params IEnumerable<(string Name, string Value)> arguments)
    {
        XNamespace name = service;
        var body = new XElement(
            s_soap + "Envelope",
            new XAttribute(XNamespace.Xmlns + "s", s_soap.NamespaceName),
            new XAttribute(s_soap + "encodingStyle", "http://schemas.xmlsoap.org/soap/encoding/"),
            new XElement(
                s_soap + "Body",
                new XElement(
                    name + action,
                    new XAttribute(XNamespace.Xmlns + "u", service),
                    arguments.Select(argument => new XElement(argument.Name, argument.Value)))));
        return "<?xml version=\"1.0\"?>\r\n" + body.ToString(SaveOptions.DisableFormatting);
    }

    /// <summary>The value of an element of an answer; null if it is not there.</summary>
    public static string? Read(string xml, string name) =>
        GatewayDescription.TryParse(xml)?.Descendants().FirstOrDefault(element => element.Name.LocalName == name)?.Value.Trim();

    /// <summary>The error code of a refusal; 0 if the answer has none.</summary>
    public static int ReadError(string xml) =>
        int.TryParse(Read(xml, "errorCode"), NumberStyles.None, CultureInfo.InvariantCulture, out int code) ? code : 0;
}
