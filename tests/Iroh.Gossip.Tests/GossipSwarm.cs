using System.Diagnostics;
using Iroh.Base;
using Iroh.Cryptography;
using Iroh.Gossip.Network;

namespace Iroh.Gossip.Tests;

/// <summary>Endpoints of one topic that come and go as a seed says, over real sockets.</summary>
/// <param name="seed">Of all choices.</param>
/// <param name="patience">How long anything may take.</param>
internal sealed class GossipSwarm(ulong seed, TimeSpan patience) : IAsyncDisposable
{
    private static readonly TopicId s_topic = TopicId.FromName("swarm");

    private readonly SeededRandomSource _random = new(seed);
    private readonly List<GossipNode> _live = [];
    private readonly List<Task> _stopping = [];
    private int _messages;

    public LoopbackCuts Cuts { get; } = new();

    public IReadOnlyList<GossipNode> Live => _live;

    public int Pick(int exclusiveMax) => (int)_random.NextBelow((ulong)exclusiveMax);

    public GossipNode PickLive() => _live[Pick(_live.Count)];

    /// <summary>A new endpoint that knows one or two others.</summary>
    public Task JoinAsync() => StartAsync(SecretKey.Generate());

    public async Task GrowAsync(int count)
    {
        while (_live.Count < count)
            await JoinAsync();
    }

    /// <summary>Silently, as by a power failure: the others' connections last on until half a minute has passed.</summary>
    public void Kill(GossipNode node) => Stop(node, node.VanishAsync());

    /// <summary>Without a farewell of gossip, but the others' connections end.</summary>
    public void Crash(GossipNode node) => Stop(node, node.VanishAsync(silently: false));

    /// <summary>With a farewell.</summary>
    public void Leave(GossipNode node) => Stop(node, node.DisposeAsync().AsTask());

    /// <summary>Kills an endpoint and starts one with the same key, which forgot everything but one or two others.</summary>
    public Task RestartAsync(GossipNode node)
    {
        Kill(node);
        return StartAsync(node.Key);
    }

    /// <summary>Somebody says something; who hears it is looked at by <see cref="AssertNobodyHeardTwice"/> only.</summary>
    public Task SayAsync() => PickLive().SayAsync($"message {_messages++}");

    /// <summary>Waits until messages can get from everybody to everybody: those who have each other as neighbors hang together.</summary>
    public Task UntilWholeAsync() => UntilAsync(
        () => Reached().Count == _live.Count,
        () => $"messages from {_live[0].Id.ToShortString()} get to {Reached().Count} of {_live.Count} only; neighbors: {DescribeNeighbors()}");

    /// <summary>Waits until no neighbor of one half is in the other.</summary>
    public Task UntilApartAsync(IReadOnlyList<GossipNode> left, IReadOnlyList<GossipNode> right) => UntilAsync(
        () => !left.Any(node => right.Any(other => node.Topic.Neighbors.Contains(other.Id) || other.Topic.Neighbors.Contains(node.Id))),
        () => $"some have neighbors beyond the cut: {DescribeNeighbors()}");

    /// <summary>Everybody says something that all others hear once.</summary>
    public async Task AssertEverybodyHearsEverybodyOnceAsync()
    {
        Dictionary<string, GossipNode> said = [];
        foreach (GossipNode node in _live)
        {
            string text = $"message {_messages++} of {node.Id.ToShortString()}";
            said.Add(text, node);
            await node.SayAsync(text);
        }

        await UntilAsync(
            () => said.All(message => _live.TrueForAll(node => node == message.Value || node.TimesHeard(message.Key) > 0)),
            () => string.Join("; ", said.Select(message => $"'{message.Key}' lacks at {Describe(_live.Where(node => node != message.Value && node.TimesHeard(message.Key) == 0))}")
                .Where(text => !text.EndsWith("at ", StringComparison.Ordinal)).Take(5)) + $"; neighbors: {DescribeNeighbors()}");
        AssertNobodyHeardTwice();
    }

    public void AssertNobodyHeardTwice()
    {
        foreach (GossipNode node in _live)
            Assert.True(node.HeardTwice is null, $"seed {seed}: {node.Id.ToShortString()} heard '{node.HeardTwice}' twice");
    }

    public async ValueTask DisposeAsync()
    {
        foreach (GossipNode node in _live.ToArray())
            Leave(node);
        await Task.WhenAll(_stopping).WaitAsync(patience);
    }

    private async Task StartAsync(SecretKey key)
    {
        GossipNode[] known = _live.Count == 0 ? [] : [PickLive(), PickLive()];
        _live.Add(await GossipNode.StartAsync(s_topic, options: null, key, Cuts, known.Distinct()));
    }

    private void Stop(GossipNode node, Task stopped)
    {
        _live.Remove(node);
        _stopping.Add(stopped);
    }

    private bool IsLive(EndpointId id) => _live.Exists(node => node.Id == id);

    private HashSet<EndpointId> Reached()
    {
        Dictionary<EndpointId, IReadOnlyCollection<EndpointId>> neighbors = _live.ToDictionary(node => node.Id, node => node.Topic.Neighbors);
        HashSet<EndpointId> reached = [_live[0].Id];
        Queue<EndpointId> next = new(reached);
        while (next.TryDequeue(out EndpointId id))
        {
            foreach (EndpointId neighbor in neighbors[id].Where(neighbor => neighbors.TryGetValue(neighbor, out var theirs) && theirs.Contains(id) && reached.Add(neighbor)))
                next.Enqueue(neighbor);
        }

        return reached;
    }

    private async Task UntilAsync(Func<bool> condition, Func<string> problem)
    {
        var waited = Stopwatch.StartNew();
        while (!condition())
        {
            Assert.True(waited.Elapsed < patience, $"seed {seed}, after {patience}: {problem()}");
            await Task.Delay(20);
        }
    }

    private string DescribeNeighbors() => string.Join(", ", _live.Select(node =>
        $"{node.Id.ToShortString()} [{string.Join(' ', node.Topic.Neighbors.Select(neighbor => neighbor.ToShortString() + (IsLive(neighbor) ? "" : " (gone)")))}]"));

    private static string Describe(IEnumerable<GossipNode> nodes) => string.Join(' ', nodes.Select(node => node.Id.ToShortString()));
}
