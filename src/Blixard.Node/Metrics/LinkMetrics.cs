using System.Diagnostics.Metrics;
using Blixard.Cluster.Links;

namespace Blixard.Node.Metrics;

/// <summary>The P2P links as numbers: meter "Blixard.Links", tag <c>peer</c> (the member's name).</summary>
internal static class LinkMetrics
{
    /// <summary>The meter's name.</summary>
    public const string MeterName = "Blixard.Links";

    /// <summary>Observes links from now on, until the meters end.</summary>
    /// <param name="meters">The node's meters.</param>
    /// <param name="links">The links as they are when it is called.</param>
    public static void Observe(NodeMeters meters, Func<IReadOnlyList<LinkStatus>> links)
    {
        Meter meter = meters.Create(new MeterOptions(MeterName));
        meter.CreateObservableGauge(
            "blixard.link.ready", () => links().Select(link => Of(link, link.State == LinkState.Ready ? 1L : 0L)), "{link}",
            "Whether the P2P link to a peer is ready: 1 or 0.");
        meter.CreateObservableGauge(
            "blixard.link.rtt",
            () => links().Where(link => link.RoundTripTime is not null).Select(link => Of(link, link.RoundTripTime!.Value.TotalSeconds)), "s",
            "The newest round trip time of a ping over the P2P link.");
        meter.CreateObservableCounter("blixard.link.dials", () => links().Select(link => Of(link, link.Dials)), "{dial}", "How often a peer was dialled.");
        meter.CreateObservableCounter(
            "blixard.link.dials.failed", () => links().Select(link => Of(link, link.FailedDials)), "{dial}", "How often that failed.");
    }

    private static Measurement<T> Of<T>(LinkStatus link, T value)
        where T : struct => new(value, new KeyValuePair<string, object?>("peer", link.Name));
}
