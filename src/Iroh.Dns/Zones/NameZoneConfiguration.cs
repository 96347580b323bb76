using System.Net;
using Iroh.Dns.Messages;

namespace Iroh.Dns.Zones;

/// <summary>What a name server answers by itself, and how much it keeps.</summary>
public sealed record NameZoneConfiguration
{
    /// <summary>The zones that the server owns; endpoints are at <c>_iroh.ID.ORIGIN</c>. At least one.</summary>
    public required IReadOnlyList<DomainName> Origins { get; init; }

    /// <summary>The names of the zones' servers, the primary first. Default: <c>ns1</c> below the first origin.</summary>
    public IReadOnlyList<DomainName> NameServers { get; init; } = [];

    /// <summary>The addresses of the origins themselves and of those name servers that are within them. Default: none.</summary>
    public IReadOnlyList<IPAddress> Addresses { get; init; } = [];

    /// <summary>The mail address of the zones' owner with a dot for the at sign. Default: <c>hostmaster</c> below the first origin.</summary>
    public DomainName? Mailbox { get; init; }

    /// <summary>How long the server's own records may be cached. Default: 1 hour; they hardly change.</summary>
    public TimeSpan TimeToLive { get; init; } = TimeSpan.FromHours(1);

    /// <summary>How long "there is no such name" may be cached. Default: 30 s, so that an endpoint that has just come is found soon.</summary>
    public TimeSpan NegativeTimeToLive { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The most packets kept. Default: 100,000, at most about 300 MiB; the one that was renewed longest ago goes first.</summary>
    public int PacketsMax { get; init; } = 100_000;

    /// <summary>How long a packet is kept that is not renewed. Default: 7 days, as iroh's server; publishers renew every few minutes.</summary>
    public TimeSpan Retention { get; init; } = TimeSpan.FromDays(7);
}
