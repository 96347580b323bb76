using System.Collections.Concurrent;
using System.Net;
using System.Text;
using System.Threading.Channels;
using Iroh.Base;
using Iroh.Gossip.Network;
using Iroh.Protocols;

namespace Iroh.Gossip.Tests;

/// <summary>An endpoint on loopback that speaks gossip, with a place in one topic.</summary>
internal sealed class GossipNode : IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(45);

    private readonly ProtocolRouter _router;
    private readonly Channel<GossipEvent> _events = Channel.CreateUnbounded<GossipEvent>();
    private readonly ConcurrentDictionary<string, int> _heard = [];
    private readonly List<GossipEvent> _seen = [];
    private readonly LoopbackCuts? _cuts;
    private readonly CuttableSocket? _socket;
    private Task _reading = Task.CompletedTask;

    private GossipNode(IrohEndpoint endpoint, SecretKey key, GossipOptions? options, LoopbackCuts? cuts)
    {
        (Endpoint, Key, Gossip, _cuts) = (endpoint, key, new GossipProtocol(endpoint, options), cuts);
        _socket = cuts?.Add(endpoint.BoundSockets[0].Port, Id.ToString());
        _router = new ProtocolRouter(endpoint, new Dictionary<string, IProtocolHandler> { [GossipProtocol.ApplicationProtocol] = Gossip });
    }

    public IrohEndpoint Endpoint { get; }

    public SecretKey Key { get; }

    public GossipProtocol Gossip { get; }

    public GossipTopic Topic { get; private set; } = null!;

    public EndpointId Id => Endpoint.Id;

    public static Task<GossipNode> StartAsync(TopicId topic, GossipOptions? options = null, params IEnumerable<GossipNode> by) =>
        StartAsync(topic, options, SecretKey.Generate(), cuts: null, by);

    /// <summary>Starts an endpoint that takes a place in the topic by way of others.</summary>
    /// <param name="topic">Which topic.</param>
    /// <param name="options">Of gossip; null for the defaults.</param>
    /// <param name="key">Who it is; of one that was stopped, for a restart.</param>
    /// <param name="cuts">Decides who can reach it; null if everybody can.</param>
    /// <param name="by">Whom it knows.</param>
    public static async Task<GossipNode> StartAsync(TopicId topic, GossipOptions? options, SecretKey key, LoopbackCuts? cuts, IEnumerable<GossipNode> by)
    {
        IrohEndpoint endpoint = await IrohEndpoint.BindAsync(new IrohEndpointOptions { SecretKey = key, BindAddresses = [new IPEndPoint(IPAddress.Loopback, 0)] });
        var node = new GossipNode(endpoint, key, options, cuts);
        foreach (GossipNode other in by)
            node.Gossip.AddAddress(other.Endpoint.Address);
        node.Topic = node.Gossip.Join(topic, by.Select(other => other.Id));
        node._reading = node.ReadAsync(node.Topic);
        return node;
    }

    public Task SayAsync(string text) => Topic.BroadcastAsync(Encoding.UTF8.GetBytes(text)).AsTask();

    /// <summary>Waits until an event has come that fits; those before it stay seen.</summary>
    public async Task<GossipEvent> UntilAsync(Predicate<GossipEvent> fits, string what)
    {
        using var patience = new CancellationTokenSource(s_patience);
        try
        {
            while (true)
            {
                lock (_seen)
                {
                    if (_seen.Find(fits) is { } found)
                        return found;
                }

                GossipEvent next = await _events.Reader.ReadAsync(patience.Token);
                lock (_seen)
                    _seen.Add(next);
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or ChannelClosedException)
        {
            throw new TimeoutException($"{Id.ToShortString()} did not see {what}; it saw {string.Join(", ", _seen)}", exception);
        }
    }

    public async Task<MessageReceived> UntilHeardAsync(string text) =>
        (MessageReceived)await UntilAsync(seen => seen is MessageReceived received && Encoding.UTF8.GetString(received.Content.Span) == text, $"'{text}'");

    /// <summary>Some message that came more than once; null if none did.</summary>
    public string? HeardTwice => _heard.FirstOrDefault(heard => heard.Value > 1).Key;

    public int TimesHeard(string text) => _heard.GetValueOrDefault(text);

    /// <summary>Goes without a farewell, as a process that is killed; silently, where there are cuts, also without a last word of its connections.</summary>
    public async Task VanishAsync(bool silently = true)
    {
        if (_socket is not null)
            _cuts!.BeginClose(_socket, silently);
        await Endpoint.DisposeAsync();
        await DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_socket is { IsClosing: false })
            _cuts!.BeginClose(_socket, silently: false);
        await Gossip.DisposeAsync();
        await _router.DisposeAsync();
        await Endpoint.DisposeAsync();
        if (_socket is not null)
            _cuts!.Remove(_socket);
        await _reading;
    }

    private async Task ReadAsync(GossipTopic topic)
    {
        await foreach (GossipEvent gossipEvent in topic.ReadEventsAsync())
        {
            if (gossipEvent is MessageReceived received)
                _heard.AddOrUpdate(Encoding.UTF8.GetString(received.Content.Span), 1, (_, times) => times + 1);
            _events.Writer.TryWrite(gossipEvent);
        }

        _events.Writer.Complete();
    }
}
