using System.Diagnostics.CodeAnalysis;
using System.Net;
using Iroh.Dns.Messages;

namespace Iroh.Lookup;

/// <summary>A zone in which endpoints are named, and who is asked for it.</summary>
/// <param name="Origin">The zone, such as <c>dns.example.com</c>: an endpoint's record is <c>_iroh.ID.ORIGIN</c>.</param>
/// <param name="Server">The DNS server that is asked; null for those of the operating system, unless <paramref name="HttpsServer"/> is.</param>
/// <param name="HttpsServer">The server that is asked over HTTPS (RFC 8484) instead; null for none.</param>
public sealed record DnsOrigin(string Origin, IPEndPoint? Server = null, Uri? HttpsServer = null)
{
    private const int DnsPort = 53;

    // "_iroh." and the id in z-base-32 with its dot stand before it, and a name has 253 characters (RFC 1035 §2.3.4).
    private const int OriginLengthMax = 253 - 6 - 53;

    /// <summary>
    /// Reads <c>ORIGIN</c> or <c>ORIGIN@SERVER</c>, where the server is <c>IP</c>, <c>IP:PORT</c> or the URL of one that answers over HTTPS.
    /// </summary>
    /// <param name="text">What was written.</param>
    /// <param name="origin">The zone.</param>
    /// <param name="problem">What is wrong with the text, a sentence for people.</param>
    public static bool TryParse(string? text, [NotNullWhen(true)] out DnsOrigin? origin, [NotNullWhen(false)] out string? problem)
    {
        (origin, problem) = (null, null);
        int at = text?.IndexOf('@', StringComparison.Ordinal) ?? -1;
        string name = at < 0 ? text ?? "" : text![..at];
        string? server = at < 0 ? null : text![(at + 1)..];
        if (name.Length is 0 or > OriginLengthMax || !DomainName.TryParse(name, out _))
        {
            problem = $"'{name}' is no domain that endpoints are named in: expected one such as dns.example.com.";
            return false;
        }

        if (server is null)
            origin = new DnsOrigin(name);
        else if (Uri.TryCreate(server, UriKind.Absolute, out Uri? url) && url.Scheme is "https" or "http")
            origin = new DnsOrigin(name, HttpsServer: url);
        else if (IPEndPoint.TryParse(server, out IPEndPoint? address))
            origin = new DnsOrigin(name, address.Port == 0 ? new IPEndPoint(address.Address, DnsPort) : address);
        else
            problem = $"'{server}' is no DNS server: expected IP, IP:PORT or a URL such as https://dns.example.com/dns-query.";
        return origin is not null;
    }

    /// <summary>Makes the look-up.</summary>
    internal DnsLookup CreateLookup() => new(new DnsLookupOptions
    {
        Origin = Origin,
        Servers = Server is not null ? [Server] : HttpsServer is not null ? [] : null,
        HttpsServers = HttpsServer is not null ? [HttpsServer] : [],
    });

    /// <summary>The form that <see cref="TryParse"/> reads.</summary>
    public override string ToString() => Server is not null ? $"{Origin}@{Server}" : HttpsServer is not null ? $"{Origin}@{HttpsServer}" : Origin;
}
