using System.Security.Cryptography;
using System.Text;
using Iroh.Relay.Protocol;

namespace Iroh.Relay.WebSockets;

/// <summary>The HTTP/1.1 request that opens a relay connection, and what the server says to it (RFC 6455 §4).</summary>
internal static class WebSocketUpgrade
{
    /// <summary>The most bytes of an answer's head: real ones have a tenth of it.</summary>
    public const int HeadLengthMax = 16 * 1024;

    /// <summary>What ends a head.</summary>
    public static ReadOnlySpan<byte> HeadEnd => "\r\n\r\n"u8;

    private const string AcceptSuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

    /// <summary>A new value of <c>Sec-WebSocket-Key</c>: 16 random bytes in base 64.</summary>
    public static string NewKey() => Convert.ToBase64String(RandomNumberGenerator.GetBytes(16));

    /// <summary>The request, byte for byte as iroh's client sends it.</summary>
    /// <param name="url">The relay's; its path is replaced by /relay, its query stays.</param>
    /// <param name="key">The value of <see cref="NewKey"/>.</param>
    /// <param name="token">Sent as bearer token unless it is null.</param>
    public static byte[] Request(Uri url, string key, string? token)
    {
        var request = new StringBuilder()
            .Append("GET /relay").Append(url.Query).Append(" HTTP/1.1\r\n")
            .Append("Host: ").Append(Authority(url)).Append("\r\n")
            // Relays compare this value byte by byte.
            .Append("Upgrade: websocket\r\nConnection: Upgrade\r\n")
            .Append("Sec-WebSocket-Key: ").Append(key).Append("\r\nSec-WebSocket-Version: 13\r\n")
            .Append("sec-websocket-protocol: ").Append(RelayVersions.Offer).Append("\r\n");
        if (token is not null)
            request.Append("authorization: Bearer ").Append(token).Append("\r\n");
        return Encoding.ASCII.GetBytes(request.Append("\r\n").ToString());
    }

    /// <summary>Host and, unless it is the scheme's own, port; a trailing dot of the host stays.</summary>
    public static string Authority(Uri url)
    {
        string host = url.HostNameType == UriHostNameType.IPv6 ? $"[{url.DnsSafeHost}]" : url.IdnHost;
        return url.IsDefaultPort ? host : $"{host}:{url.Port}";
    }

    /// <summary>Reads the answer's head, up to and with the empty line.</summary>
    /// <param name="head">At most <see cref="HeadLengthMax"/> bytes.</param>
    /// <param name="key">What <see cref="Request"/> was given.</param>
    /// <param name="version">What the server chose, on success.</param>
    /// <param name="status">The status code, or 0 if there is none.</param>
    /// <param name="problem">What is wrong, or null on success.</param>
    public static bool TryReadResponse(ReadOnlySpan<byte> head, string key, out RelayVersion version, out int status, out string? problem)
    {
        version = default;
        string[] lines = Encoding.Latin1.GetString(head).Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        status = lines.Length == 0 ? 0 : StatusOf(lines[0]);
        problem = status switch
        {
            0 => "it does not answer in HTTP/1.1",
            101 => null,
            _ => $"it answers with HTTP status {status}",
        };
        if (problem is not null)
            return false;
        if (!string.Equals(Header(lines, "upgrade"), "websocket", StringComparison.OrdinalIgnoreCase)
            || Header(lines, "sec-websocket-accept") != Accept(key))
            problem = "it answers with status 101, but not as a WebSocket server does";
        else if (Header(lines, "sec-websocket-extensions") is not null)
            problem = "it uses a WebSocket extension that was not asked for";
        else if (!RelayVersions.TryParse(Header(lines, "sec-websocket-protocol"), out version))
            problem = "it speaks no version of the relay protocol that is known here (sub-protocols " + RelayVersions.Offer + ")";
        return problem is null;
    }

    /// <summary>The value of <c>Sec-WebSocket-Accept</c> that answers a key (§4.2.2).</summary>
    public static string Accept(string key)
    {
#pragma warning disable CA5350 // RFC 6455 has SHA-1 here; nothing secret hangs on it.
        return Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key + AcceptSuffix)));
#pragma warning restore CA5350
    }

    /// <summary>The code of a status line, or 0 if it is none.</summary>
    public static int StatusOf(string line) =>
        line.StartsWith("HTTP/1.", StringComparison.Ordinal)
        && line.Length >= 12
        && int.TryParse(line.AsSpan(9, 3), System.Globalization.NumberStyles.None, null, out int status)
            ? status
            : 0;

    private static string? Header(string[] lines, string name)
    {
        foreach (string line in lines.AsSpan(1))
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon > 0 && line.AsSpan(0, colon).Equals(name, StringComparison.OrdinalIgnoreCase))
                return line[(colon + 1)..].Trim();
        }

        return null;
    }
}
