using System.Diagnostics.CodeAnalysis;
using Iroh.Base;

namespace Iroh.Lookup;

/// <summary>Which look-up services an endpoint uses, as people choose them; <see cref="Create"/> makes them.</summary>
public sealed record LookupConfiguration
{
    /// <summary>None.</summary>
    public static LookupConfiguration None { get; } = new();

    /// <summary>Whether to find others, and be found, on the local network (multicast DNS). Default: false.</summary>
    public bool Multicast { get; init; }

    /// <summary>Zones in which others are looked for over DNS. Default: none.</summary>
    public IReadOnlyList<DnsOrigin> Dns { get; init; } = [];

    /// <summary>Pkarr servers at which the endpoint publishes its record, and looks for those of others. Default: none.</summary>
    public IReadOnlyList<Uri> Pkarr { get; init; } = [];

    /// <summary>Whether others can be found by their id alone.</summary>
    public bool CanResolve => Multicast || Dns.Count > 0 || Pkarr.Count > 0;

    /// <summary>Reads the URL of a pkarr server.</summary>
    /// <param name="text">What was written.</param>
    /// <param name="url">The URL.</param>
    /// <param name="problem">What is wrong with the text, a sentence for people.</param>
    public static bool TryParsePkarr(string? text, [NotNullWhen(true)] out Uri? url, [NotNullWhen(false)] out string? problem)
    {
        bool isUrl = Uri.TryCreate(text, UriKind.Absolute, out url) && url.Scheme is "http" or "https";
        problem = isUrl ? null : $"'{text}' is no URL of a pkarr server: expected one such as https://dns.example.com/pkarr.";
        return isUrl;
    }

    /// <summary>Makes the services, which then belong to the caller, or to the endpoint that gets them.</summary>
    /// <param name="key">The endpoint's own key.</param>
    /// <param name="hasRelay">
    /// Whether the endpoint can be found at a relay. If so only the relay is published to the world by pkarr, as iroh does: nobody need know
    /// where the machine is. Without a relay its own addresses are all there is to publish.
    /// </param>
    /// <exception cref="MulticastUnavailableException">Multicast DNS cannot be used on this machine; nothing was made.</exception>
    public IReadOnlyList<IAddressLookup> Create(SecretKey key, bool hasRelay)
    {
        ArgumentNullException.ThrowIfNull(key);
        // The one that can fail comes first.
        var services = new List<IAddressLookup>();
        if (Multicast)
            services.Add(MulticastLookup.Start(new MulticastLookupOptions { Id = key.PublicKey }));
        services.AddRange(Dns.Select(origin => origin.CreateLookup()));
        foreach (Uri url in Pkarr)
        {
            services.Add(new PkarrPublisher(new PkarrPublisherOptions
            {
                Url = url,
                SecretKey = key,
                Filter = hasRelay ? AddressFilters.RelayOnly : AddressFilters.Unfiltered,
            }));
            services.Add(new PkarrLookup(url));
        }

        return services;
    }
}
