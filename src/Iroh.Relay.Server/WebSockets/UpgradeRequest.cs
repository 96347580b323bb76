using System.Security.Cryptography;
using System.Text;
using Iroh.Relay.Protocol;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Iroh.Relay.Server.WebSockets;

/// <summary>Whether a request asks for a relay connection, and how it is answered (iroh-relay server/http_server.rs, RFC 6455 §4.2).</summary>
internal static class UpgradeRequest
{
    /// <summary>The only version of the WebSocket protocol.</summary>
    public const string WebSocketVersion = "13";

    // RFC 6455 §1.3.
    private const string AcceptSuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

    // A nonce of 16 bytes in base 64 has 24 characters; no more is hashed than a generous client would send.
    private const int KeyLengthMax = 128;

    /// <summary>Checks a request's headers.</summary>
    /// <param name="headers">The headers.</param>
    /// <param name="version">What is to be spoken.</param>
    /// <returns>What is wrong with them, for the body of a 400; null if nothing is.</returns>
    public static string? Check(IHeaderDictionary headers, out RelayVersion version)
    {
        version = default;
        if (headers.Upgrade is not ["websocket"])
            return "This is a relay: it expects the header 'Upgrade: websocket'.\n";
        if (headers.SecWebSocketKey is not [{ Length: > 0 and <= KeyLengthMax }])
            return "The header Sec-WebSocket-Key is missing.\n";
        if (headers.SecWebSocketVersion is not [WebSocketVersion])
            return "The header Sec-WebSocket-Version has to be 13.\n";
        StringValues offers = headers.SecWebSocketProtocol;
        string? offer = offers.Count > 1 ? string.Join(',', offers.ToArray()) : offers.ToString();
        return RelayVersions.TryChoose(offer, out version)
            ? null
            : $"The header Sec-WebSocket-Protocol offers none of {RelayVersions.Offer}.\n";
    }

    /// <summary>The answer to a key: <c>Sec-WebSocket-Accept</c>.</summary>
    public static string Accept(string key)
    {
        Span<byte> hash = stackalloc byte[SHA1.HashSizeInBytes];
#pragma warning disable CA5350 // RFC 6455 has it so; nothing depends on its strength.
        SHA1.HashData(Encoding.ASCII.GetBytes(key + AcceptSuffix), hash);
#pragma warning restore CA5350
        return Convert.ToBase64String(hash);
    }

    /// <summary>The token that a client shows: the first bearer token of the header, else the query's <c>token</c>, which is what browsers can do.</summary>
    public static string? Token(HttpRequest request)
    {
        const string Scheme = "Bearer ";
        foreach (string? value in request.Headers[HeaderNames.Authorization])
        {
            if (value is not null && value.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
                return value[Scheme.Length..].Trim();
        }

        return request.Query.TryGetValue("token", out StringValues token) && token.Count > 0 ? token[0] : null;
    }
}
