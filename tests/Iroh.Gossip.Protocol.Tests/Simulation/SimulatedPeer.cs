using Iroh.Base;

namespace Iroh.Gossip.Simulation;

/// <summary>One peer of a <see cref="SimulatedNetwork"/>.</summary>
internal sealed class SimulatedPeer(EndpointId id, GossipState state)
{
    public EndpointId Id => id;

    public GossipState State => state;

    public bool IsLive { get; set; } = true;

    public TimeSpan JoinedAt { get; set; }

    public TimeSpan TimerAt { get; set; } = TimeSpan.MaxValue;

    public List<GossipEvent> Events { get; } = [];

    /// <summary>Told of every event at once; for what is built on gossip.</summary>
    public Action<GossipEvent>? OnEvent { get; set; }

    public IReadOnlyList<EndpointId> Neighbors => state.Neighbors(SimulatedNetwork.Topic);

    public IEnumerable<string> Texts => Events.OfType<MessageReceived>().Select(received => System.Text.Encoding.UTF8.GetString(received.Content.Span));
}
