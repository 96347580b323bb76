using System.Net;
using Iroh.Cryptography;

namespace Iroh.Lookup;

/// <summary>What a <see cref="DnsLookup"/> is made from.</summary>
public sealed class DnsLookupOptions
{
    /// <summary>The zone in which endpoints are named, such as <see cref="N0Services.DnsOrigin"/>.</summary>
    public required string Origin { get; init; }

    /// <summary>
    /// The DNS servers that are asked over UDP, and over TCP for what does not fit. Default: null, those of the operating system,
    /// read anew for each look-up, and Google's where it names none. Empty for none: <see cref="HttpsServers"/> only.
    /// </summary>
    public IReadOnlyList<IPEndPoint>? Servers { get; init; }

    /// <summary>Servers that are asked over HTTPS (RFC 8484), such as <c>https://dns.example.org/dns-query</c>. Default: none.</summary>
    public IReadOnlyList<Uri> HttpsServers { get; init; } = [];

    /// <summary>Sends HTTPS requests and stays the caller's; null, the default, for a common one.</summary>
    public HttpClient? HttpClient { get; init; }

    /// <summary>Time and timers. Default: the system's.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Makes query ids and jitter. Default: the operating system's; another one must be thread-safe.</summary>
    public RandomSource Random { get; init; } = OperatingSystemRandomSource.Instance;
}
