using System.Collections.Immutable;
using System.Net;
using Blixard.Cluster.Links;
using Blixard.Cluster.Membership;
using Blixard.Node.Events;
using Blixard.Node.Membership;
using Blixard.Node.Peers;
using Blixard.Rpc.Diagnostics;
using Blixard.Rpc.Frames;
using Blixard.V1;
using Iroh;
using Iroh.Base;
using Iroh.Cryptography;
using Iroh.Lookup;
using Iroh.Protocols;
using Iroh.Quic;
using Iroh.Relay.Client;
using Microsoft.Extensions.Logging;

namespace Blixard.Node.P2p;

/// <summary>
/// This node's end of the P2P network: binds, links to the members, tells its address; when it cannot, says why and tries
/// again, while the node goes on without. Thread-safe.
/// <code>
///   Off (switched off)      Starting ──bound──▶ Ready ──another node has our key──▶ Degraded ──it is gone──▶ Ready
///                              │ ▲                └──────────── the endpoint closed ───────────┐
///                    not bound ▼ │ after a delay                                               │
///                             Degraded ◀───────────────────────────────────────────────────────┘
/// </code>
/// </summary>
internal sealed partial class P2pEndpoint(
    NodeOptions options, NodeSelf self, NodeEventHub events, TimeProvider time, RpcMetrics metrics, ILoggerFactory loggers) : IAsyncDisposable
{
    // The first and the longest delay before the address is tried again: a port that another program gives up is soon taken.
    private static readonly TimeSpan BindDelayMin = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan BindDelayMax = TimeSpan.FromSeconds(10);

    // Longer than a relay on another continent takes, shorter than people wonder.
    private static readonly TimeSpan RelayPatience = TimeSpan.FromSeconds(3);

    // How often links are looked at for events; people do not see more.
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(500);

    private readonly ILogger _logger = loggers.CreateLogger<P2pEndpoint>();
    private readonly CancellationTokenSource _stopping = new();
    private ImmutableDictionary<EndpointId, string> _linked = ImmutableDictionary<EndpointId, string>.Empty;
    private MemberDirectory? _directory;
    private IrohEndpoint? _endpoint;
    private IrohPeerConnector? _connector;
    private Task _serving = Task.CompletedTask;

    /// <summary>The bound endpoint; null while there is none.</summary>
    public IrohEndpoint? Endpoint => Volatile.Read(ref _endpoint);

    /// <summary>The links to all members, in no order.</summary>
    public IReadOnlyList<LinkStatus> Links => Volatile.Read(ref _connector)?.Links ?? [];

    /// <summary>The link to a member; null if there is none at the moment.</summary>
    public LinkStatus? TryGetLink(EndpointId peer) => Volatile.Read(ref _connector)?.TryGetLink(peer);

    /// <summary>What keeps others from finding this node at a relay, for people; "" if nothing does or no relay is named.</summary>
    public string RelayTrouble => Endpoint is not { HomeRelay: { } home } endpoint || options.Relays.Count == 0
        ? ""
        : endpoint.RelayStatuses.FirstOrDefault(relay => relay.Url == home) is { State: not RelayState.Connected } status
            ? $"the relay {home} cannot be used at the moment: {status.LastError ?? "no answer yet"}"
            : "";

    /// <summary>Says why P2P cannot be had at the moment.</summary>
    public void Degrade(string reason) => Show(P2pState.Degraded, reason);

    /// <summary>Tries once to bind. The outcome is in the node's status.</summary>
    /// <param name="key">The node's key.</param>
    /// <param name="formerPort">The UDP port that the node had before; 0 = none.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    public async Task<bool> TryBindAsync(SecretKey key, int formerPort, CancellationToken cancellationToken)
    {
        if (!options.P2p)
        {
            Show(P2pState.Off, "switched off");
            return false;
        }

        QuicBindException? problem = null;
        foreach (IReadOnlyList<IPEndPoint>? addresses in Candidates(formerPort))
        {
            try
            {
                IrohEndpoint endpoint = await BindAsync(key, addresses, cancellationToken).ConfigureAwait(false);
                await WaitForRelayAsync(endpoint, cancellationToken).ConfigureAwait(false);
                Volatile.Write(ref _endpoint, endpoint);
                self.P2pAddress = endpoint.Address;
                Show(P2pState.Ready, "");
                return true;
            }
            catch (QuicBindException e)
            {
                problem ??= e;
            }
        }

        Show(P2pState.Degraded, problem!.Message);
        return false;
    }

    /// <summary>
    /// Links to the members from now on. Called once, after <see cref="TryBindAsync"/>; if that bound, all protocols are served when this
    /// returns, so that a node that says it is ready can share.
    /// </summary>
    /// <param name="key">The node's key.</param>
    /// <param name="directory">The members.</param>
    /// <param name="runner">Serves their calls.</param>
    /// <param name="peers">Told of links.</param>
    /// <param name="protocols">What else is spoken on the endpoint.</param>
    public void Serve(SecretKey key, MemberDirectory directory, IrohServiceRunner runner, PeerTable peers, IEndpointProtocols protocols)
    {
        Volatile.Write(ref _directory, directory);
        if (options.P2p)
            _serving = ServeAsync(key, directory, runner, peers, protocols);
    }

    /// <summary>Closes the links and the endpoint.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _serving.ConfigureAwait(false);
        if (Endpoint is { } endpoint)
            await endpoint.DisposeAsync().ConfigureAwait(false);
        _stopping.Dispose();
    }

    private async Task<IrohEndpoint> BindAsync(SecretKey key, IReadOnlyList<IPEndPoint>? addresses, CancellationToken cancellationToken)
    {
        IReadOnlyList<IAddressLookup> lookups = CreateLookups(key);
        try
        {
            return await IrohEndpoint.BindAsync(
                new IrohEndpointOptions
                {
                    SecretKey = key,
                    BindAddresses = addresses,
                    Relays = options.Relays,
                    UseRelays = options.UseRelays,
                    StunServers = options.StunServers,
                    MapPorts = options.MapPorts,
                    AddressLookups = [new MemberLookup(() => Volatile.Read(ref _directory)?.Current ?? ImmutableDictionary<EndpointId, Member>.Empty), .. lookups],
                },
                cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            // They belong to the endpoint once there is one.
            await new LookupSet(lookups).DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    private IReadOnlyList<IAddressLookup> CreateLookups(SecretKey key)
    {
        try
        {
            return options.Lookups.Create(key, options.Relays.Count > 0);
        }
        catch (MulticastUnavailableException e)
        {
            LogMulticastUnavailable(e.Message);
            return (options.Lookups with { Multicast = false }).Create(key, options.Relays.Count > 0);
        }
    }

    /// <summary>A ticket given out right after the start should name the relay; a relay that is dead must not keep the node from starting.</summary>
    private async Task WaitForRelayAsync(IrohEndpoint endpoint, CancellationToken cancellationToken)
    {
        try
        {
            await endpoint.WaitOnlineAsync(cancellationToken).WaitAsync(RelayPatience, time, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            foreach (RelayClientStatus relay in endpoint.RelayStatuses)
                LogRelayUnreachable(relay.Url.ToString(), relay.LastError ?? "no answer yet");
        }
    }

    // What is tried in turn: what the options say; where they leave it open the former port first, so that others find us there.
    private IEnumerable<IReadOnlyList<IPEndPoint>?> Candidates(int formerPort)
    {
        if (formerPort != 0 && options.Bind.Count == 0)
        {
            yield return [new IPEndPoint(IPAddress.Any, formerPort), new IPEndPoint(IPAddress.IPv6Any, formerPort)];
            yield return [new IPEndPoint(IPAddress.Any, formerPort)];
        }

        if (formerPort != 0 && options.Bind.Any(address => address.Port == 0))
            yield return [.. options.Bind.Select(address => address.Port == 0 ? new IPEndPoint(address.Address, formerPort) : address)];
        yield return options.Bind.Count == 0 ? null : options.Bind;
    }

    private async Task ServeAsync(SecretKey key, MemberDirectory directory, IrohServiceRunner runner, PeerTable peers, IEndpointProtocols protocols)
    {
        TimeSpan delay = BindDelayMin;
        try
        {
            while (true)
            {
                if (Endpoint is null && !await TryBindAsync(key, 0, _stopping.Token).ConfigureAwait(false))
                {
                    await Task.Delay(delay, time, _stopping.Token).ConfigureAwait(false);
                    delay = delay * 2 < BindDelayMax ? delay * 2 : BindDelayMax;
                    continue;
                }

                delay = BindDelayMin;
                await ServeOnceAsync(Endpoint!, directory, runner, peers, protocols).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // Disposed.
        }
    }

    private async Task ServeOnceAsync(
        IrohEndpoint endpoint, MemberDirectory directory, IrohServiceRunner runner, PeerTable peers, IEndpointProtocols protocols)
    {
        var connector = new IrohPeerConnector(new PeerConnectorOptions
        {
            Name = self.Name,
            Endpoint = endpoint,
            Members = directory,
            Runner = runner,
            ChannelOf = id => peers.TryGet(id, out Peer? peer) ? peer.Channel : null,
            Time = time,
            Random = OperatingSystemRandomSource.Instance,
            Logger = loggers.CreateLogger<IrohPeerConnector>(),
            Metrics = metrics,
            OnPath = path => events.Publish(new PeerPathEvent(
                path.Name, path.Peer.ToString(), path.Path.ToString().ToLowerInvariant(), path.Remote, Math.Round(path.After.TotalMilliseconds, 1))),
        });
        Volatile.Write(ref _connector, connector);
        var router = new ProtocolRouter(
            endpoint, new Dictionary<string, IProtocolHandler>(protocols.Attach(endpoint)) { [IrohServiceRunner.Alpn] = connector },
            (connection, exception) => LogConnectionFailed(exception, connection.RemoteId.ToShortString()));
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
        Task looking = LookAsync(connector, ending.Token);
        try
        {
            // Ends only when the endpoint is closed.
            await foreach (Iroh.Base.EndpointAddress address in endpoint.WatchAddressAsync(_stopping.Token).ConfigureAwait(false))
                self.P2pAddress = address;
        }
        finally
        {
            await ending.CancelAsync().ConfigureAwait(false);
            await looking.ConfigureAwait(false);
            await connector.DisposeAsync().ConfigureAwait(false);
            await protocols.DetachAsync().ConfigureAwait(false);
            await router.DisposeAsync().ConfigureAwait(false);
            Volatile.Write(ref _connector, null);
            await endpoint.DisposeAsync().ConfigureAwait(false);
            Volatile.Write(ref _endpoint, null);
            if (!_stopping.IsCancellationRequested)
                self.P2pAddress = null;
        }
    }

    private async Task LookAsync(IrohPeerConnector connector, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(LookInterval, time);
        try
        {
            do
            {
                if (connector.KeyConflict is { } conflict)
                    Show(P2pState.Degraded, conflict);
                else
                    Show(P2pState.Ready, "");
                Compare(connector.Links);
            }
            while (await timer.WaitForNextTickAsync(cancellationToken).ConfigureAwait(false));
        }
        catch (OperationCanceledException)
        {
            Compare([]);
        }
    }

    private void Compare(IReadOnlyList<LinkStatus> links)
    {
        ImmutableDictionary<EndpointId, string> linked = links.Where(link => link.State == LinkState.Ready)
            .ToImmutableDictionary(link => link.Peer, link => link.Name);
        foreach (LinkStatus link in links.Where(link => link.State == LinkState.Ready && !_linked.ContainsKey(link.Peer)))
            events.Publish(new PeerLinkedEvent(link.Name, link.Peer.ToString(), link.Remote));
        foreach ((EndpointId id, string name) in _linked.Where(pair => !linked.ContainsKey(pair.Key)))
            events.Publish(new PeerLostEvent(name, id.ToString(), links.FirstOrDefault(link => link.Peer == id)?.Reason ?? "it left, or this node stops"));
        _linked = linked;
    }

    private void Show(P2pState state, string reason)
    {
        P2pStatus before = self.P2p;
        var status = new P2pStatus { State = state, Reason = reason };
        if (state == P2pState.Ready && Endpoint is { } endpoint)
        {
            status.Path = P2pPathKind.Direct;
            status.Remote = string.Join(", ", endpoint.Address.DirectAddresses.Select(address => address.ToString()).Concat(endpoint.Address.RelayUrls.Select(relay => relay.ToString())));
        }

        self.P2p = status;
        if (before.State == state && before.Reason == reason)
            return;
        events.Publish(new P2pEvent(state.ToString().ToLowerInvariant(), reason));
        if (state == P2pState.Degraded)
            LogDegraded(reason);
    }

    [LoggerMessage(EventId = 6101, EventName = "P2pDegraded", Level = LogLevel.Warning, Message = "The node goes on without P2P and tries again: {Reason}")]
    private partial void LogDegraded(string reason);

    [LoggerMessage(EventId = 6102, EventName = "P2pConnectionFailed", Level = LogLevel.Error, Message = "Serving a connection of {Peer} failed")]
    private partial void LogConnectionFailed(Exception exception, string peer);

    [LoggerMessage(EventId = 6103, EventName = "RelayUnreachable", Level = LogLevel.Warning, Message = "The relay {Url} cannot be used yet ({Reason}); the node starts without it and goes on trying")]
    private partial void LogRelayUnreachable(string url, string reason);

    [LoggerMessage(EventId = 6104, EventName = "MulticastUnavailable", Level = LogLevel.Warning, Message = "The node goes on without the local network's look-up: {Reason}")]
    private partial void LogMulticastUnavailable(string reason);
}
