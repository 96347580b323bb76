using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Iroh.Base;

namespace Iroh;

/// <summary>One relay that an endpoint may use, and how. The relay map of an endpoint is a list of these, each URL once.</summary>
/// <param name="Url">Where the relay is.</param>
/// <param name="AddressDiscoveryPort">The UDP port where it answers QUIC address discovery, 1 to 65535; null if it does not.</param>
/// <param name="Token">A secret that the relay asks of its clients; null if it asks for none. Not shown by <see cref="object.ToString"/>.</param>
public sealed record RelayConfiguration(RelayUrl Url, int? AddressDiscoveryPort = null, string? Token = null)
{
    /// <summary>Where relays answer address discovery unless somebody says otherwise (UDP), as in iroh.</summary>
    public const int DefaultAddressDiscoveryPort = 7842;

    /// <summary>
    /// A relay of which only the URL is known: with address discovery on the default port if it has a certificate to show there (https,
    /// wss), otherwise without.
    /// </summary>
    public static RelayConfiguration For(RelayUrl url, string? token = null)
    {
        ArgumentNullException.ThrowIfNull(url);
        return new RelayConfiguration(url, url.Uri.Scheme is "https" or "wss" ? DefaultAddressDiscoveryPort : null, token);
    }

    /// <summary>Where relays answer address discovery unless they say otherwise. As iroh.</summary>
    public const int AddressDiscoveryPortDefault = 7842;

    /// <summary>
    /// Reads a relay as people write it: its URL, perhaps followed by <c>,qad=PORT</c> or <c>,qad=off</c>. Address discovery needs a
    /// certificate, so without that it is expected at port 7842 of https relays, and not at http ones.
    /// </summary>
    /// <param name="text">What was written.</param>
    /// <param name="relay">The relay, without a token.</param>
    /// <param name="problem">What is wrong with the text, a sentence for people.</param>
    public static bool TryParse(string? text, [NotNullWhen(true)] out RelayConfiguration? relay, [NotNullWhen(false)] out string? problem)
    {
        (relay, problem) = (null, null);
        const string separator = ",qad=";
        int end = text?.LastIndexOf(separator, StringComparison.Ordinal) ?? -1;
        string? discovery = end < 0 ? null : text![(end + separator.Length)..];
        if (!RelayUrl.TryParse(end < 0 ? text : text![..end], out RelayUrl? url))
        {
            problem = $"'{text}' is no URL of a relay: expected https://HOST or http://HOST:PORT.";
            return false;
        }

        int? port = discovery is null && url.Uri.Scheme is "https" or "wss" ? AddressDiscoveryPortDefault : null;
        if (discovery is not (null or "off"))
        {
            if (!ushort.TryParse(discovery, NumberStyles.None, CultureInfo.InvariantCulture, out ushort given) || given == 0)
            {
                problem = $"'{discovery}' is no port for address discovery: expected 1 to 65535, or 'off'.";
                return false;
            }

            port = given;
        }

        relay = new RelayConfiguration(url, port);
        return true;
    }

    /// <summary>The relay without its token, for logs.</summary>
    public override string ToString() =>
        $"{Url}{(AddressDiscoveryPort is { } port ? $", address discovery on UDP {port}" : "")}{(Token is null ? "" : ", with a token")}";
}
