using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;

namespace Iroh.NetReport;

/// <summary>A server that answers STUN binding requests over UDP (RFC 8489).</summary>
/// <param name="Host">A name or an IP address.</param>
/// <param name="Port">Its UDP port, 1 to 65535.</param>
public sealed record StunServer(string Host, int Port = StunServer.DefaultPort)
{
    /// <summary>The port of RFC 8489 §18.6.</summary>
    public const int DefaultPort = 3478;

    // The longest host name (RFC 1035 §2.3.4), and room for the port.
    private const int LengthMax = 253 + 6;

    /// <summary>Reads <c>HOST</c>, <c>HOST:PORT</c> or <c>[IPV6]:PORT</c>.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, [NotNullWhen(true)] out StunServer? server)
    {
        server = null;
        if (text is not { Length: > 0 and <= LengthMax })
            return false;
        if (IPAddress.TryParse(text, out IPAddress? bare) && bare.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6)
        {
            // "::1:3478" is one address; a port needs brackets.
            server = text.StartsWith('[') ? Bracketed(text, bare) : new StunServer(bare.ToString());
            return server is not null;
        }

        int colon = text.LastIndexOf(':');
        string host = colon < 0 ? text : text[..colon];
        int port = DefaultPort;
        if (colon >= 0 && !TryParsePort(text[(colon + 1)..], out port))
            return false;
        if (Uri.CheckHostName(host) is not (UriHostNameType.Dns or UriHostNameType.IPv4))
            return false;
        server = new StunServer(host, port);
        return true;
    }

    /// <summary><c>HOST:PORT</c>.</summary>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{(Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]" : Host)}:{Port}");

    private static StunServer? Bracketed(string text, IPAddress address)
    {
        int end = text.IndexOf(']', StringComparison.Ordinal);
        if (end == text.Length - 1)
            return new StunServer(address.ToString());
        return text[end + 1] == ':' && TryParsePort(text[(end + 2)..], out int port) ? new StunServer(address.ToString(), port) : null;
    }

    private static bool TryParsePort(string text, out int port) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port) && port is > 0 and <= ushort.MaxValue;
}

/// <summary>What a STUN server answered.</summary>
/// <param name="Server">Whom we asked.</param>
/// <param name="V4">What it saw of the IPv4 socket; null if it was not asked or did not answer there.</param>
/// <param name="V6">What it saw of the IPv6 socket, likewise.</param>
public sealed record StunServerResult(StunServer Server, ObservedAddress? V4 = null, ObservedAddress? V6 = null);
