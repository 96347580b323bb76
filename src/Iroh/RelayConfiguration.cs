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

    /// <summary>The relay without its token, for logs.</summary>
    public override string ToString() =>
        $"{Url}{(AddressDiscoveryPort is { } port ? $", address discovery on UDP {port}" : "")}{(Token is null ? "" : ", with a token")}";
}
