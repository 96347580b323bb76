using System.Net;
using System.Text;
using System.Threading.Channels;
using Iroh.Base;
using Iroh.Protocols;

namespace Iroh.Gossip.Tests;

/// <summary>An endpoint on loopback that speaks gossip, with a place in one topic.</summary>
internal sealed class GossipNode : IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(45);

    private readonly ProtocolRouter _router;
    private readonly Channel<GossipEvent> _events = Channel.CreateUnbounded<GossipEvent>();
    private readonly List<GossipEvent> _seen = [];
    private Task _reading = Task.CompletedTask;

    private GossipNode(IrohEndpoint endpoint, GossipProtocol gossip)
    {
        (Endpoint, Gossip) = (endpoint, gossip);
        _router = new ProtocolRouter(endpoint, new Dictionary<string, IProtocolHandler> { [GossipProtocol.ApplicationProtocol] = gossip });
    }

    public IrohEndpoint Endpoint { get; }

    public GossipProtocol Gossip { get; }

    public GossipTopic Topic { get; private set; } = null!;

    public EndpointId Id => Endpoint.Id;

    public static async Task<GossipNode> StartAsync(TopicId topic, GossipOptions? options = null, params IEnumerable<GossipNode> by)
    {
        IrohEndpoint endpoint = await IrohEndpoint.BindAsync(new IrohEndpointOptions { BindAddresses = [new IPEndPoint(IPAddress.Loopback, 0)] });
        var node = new GossipNode(endpoint, new GossipProtocol(endpoint, options));
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

    public int TimesHeard(string text)
    {
        while (_events.Reader.TryRead(out GossipEvent? more))
            _seen.Add(more);
        return _seen.OfType<MessageReceived>().Count(received => Encoding.UTF8.GetString(received.Content.Span) == text);
    }

    /// <summary>Goes without a farewell, as a process that is killed.</summary>
    public async Task VanishAsync()
    {
        await Endpoint.DisposeAsync();
        await DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await Gossip.DisposeAsync();
        await _router.DisposeAsync();
        await Endpoint.DisposeAsync();
        await _reading;
    }

    private async Task ReadAsync(GossipTopic topic)
    {
        await foreach (GossipEvent gossipEvent in topic.ReadEventsAsync())
            _events.Writer.TryWrite(gossipEvent);
        _events.Writer.Complete();
    }
}
