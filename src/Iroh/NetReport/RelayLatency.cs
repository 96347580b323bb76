using Iroh.Base;

namespace Iroh.NetReport;

/// <summary>How far a relay is, by each way that answered. Times are whole round trips, more than zero.</summary>
/// <param name="Url">The relay.</param>
/// <param name="V4">Over UDP and IPv4 (QUIC address discovery); null if that was not tried or not answered.</param>
/// <param name="V6">Over UDP and IPv6, likewise.</param>
/// <param name="Https">
/// A request over HTTP with a connection that was already up, or, if the relay answered only once, the request with its connection.
/// Null if there was no answer.
/// </param>
public sealed record RelayLatency(RelayUrl Url, TimeSpan? V4 = null, TimeSpan? V6 = null, TimeSpan? Https = null)
{
    /// <summary>The shortest of the three; null if the relay did not answer at all.</summary>
    public TimeSpan? Best => Min(Min(V4, V6), Https);

    private static TimeSpan? Min(TimeSpan? one, TimeSpan? other) => one is null ? other : other is null || one < other ? one : other;
}
