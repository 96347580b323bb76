using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Iroh.Addressing;
using Iroh.Base;
using Iroh.Dialling;
using Iroh.Dns;
using Iroh.LocalAddresses;
using Iroh.Lookup;
using Iroh.NetReport;
using Iroh.Paths;
using Iroh.Quic;
using Iroh.Quic.Protocol.NatTraversal;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Relay.Client;
using Iroh.Relays;

namespace Iroh;

/// <summary>
/// One end of the peer-to-peer network: it owns a key, dials other endpoints by theirs, and accepts those that dial it. It
/// understands Rust iroh 1.0 and is understood by it. All members may be used from any thread, several calls at once.
/// </summary>
public sealed class IrohEndpoint : IAsyncDisposable
{
    private readonly IrohEndpointOptions _options;
    private readonly QuicEndpoint _quic;
    private readonly OwnAddress _address;
    private readonly NetworkMonitor _monitor;
    private readonly NetworkOutlook _outlook;
    private readonly RelayTransport? _relays;
    private readonly HomeRelay? _home;
    private readonly LookupSet _lookups;
    private readonly RemoteBook _remotes = new();
    private readonly Dialler _dialler;
    private readonly ConcurrentDictionary<ConnectionPaths, bool> _paths = new();
    private readonly Lazy<Task> _disposal;
    private NetworkAddress[] _candidates = [];
    private NatMapping? _mapping;

    private IrohEndpoint(IrohEndpointOptions options, EndpointSockets sockets)
    {
        _options = options;
        _quic = sockets.Quic;
        _relays = sockets.Relays;
        _lookups = new LookupSet(options.AddressLookups);
        _dialler = new Dialler(Id, _quic, _remotes, _relays?.Addresses, _lookups, options.ConnectTimeout);
        _address = new OwnAddress(
            Id, _quic.LocalEndPoints, IsV4PortFixed(options), options.ExternalAddresses, NetworkInterfaces.List(), OnAddressChanged);
        _disposal = new Lazy<Task>(CloseOnceAsync);
        OnAddressChanged(_address.Current);
        if (_relays is not null)
        {
            _home = new HomeRelay(_relays.Pool, [.. options.Relays.Select(relay => relay.Url)], _address.SetRelay, TimeProvider.System);
            _relays.Attach(_quic, OnRelayStatus, OnPeerGone);
            // What relays told before they were listened to.
            foreach (RelayClientStatus status in _relays.Pool.Statuses)
                _home.OnStatus(status);
        }

        _outlook = new NetworkOutlook(options, _quic, sockets.Probes, () => _monitor?.Current ?? NetworkInterfaces.Read(), OnReport, _address.SetMapped);
        _monitor = new NetworkMonitor(OnNetworkChange);
    }

    /// <summary>The id by which others dial this endpoint.</summary>
    public EndpointId Id => _options.SecretKey.PublicKey;

    /// <summary>The id with the addresses under which the endpoint is thought to be reachable now.</summary>
    public EndpointAddress Address => _address.Current;

    /// <summary><see cref="Address"/> as a string to hand around.</summary>
    public EndpointTicket Ticket => new(Address);

    /// <summary>The addresses that the sockets are bound to, with their real ports.</summary>
    public IReadOnlyList<IPEndPoint> BoundSockets => _quic.LocalEndPoints;

    /// <summary>The relay that the endpoint keeps a connection to; null if it has none, or has not yet chosen.</summary>
    public RelayUrl? HomeRelay => _home?.Url;

    /// <summary>How it stands with each relay that is kept or in use.</summary>
    public IReadOnlyList<RelayClientStatus> RelayStatuses => _relays?.Pool.Statuses ?? [];

    /// <summary>What is known of the network between this endpoint and the outside; null before the first report, or if nobody was named to ask.</summary>
    public NetReportResult? NetReport => _outlook.Last;

    /// <summary>Binds the sockets and starts to listen.</summary>
    /// <exception cref="QuicBindException">An address cannot be bound; the message says what to do.</exception>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public static Task<IrohEndpoint> BindAsync(IrohEndpointOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new IrohEndpointOptions();
        // Listing the interfaces and binding are quick, but they are system calls: they do not run on the caller's thread.
        return Task.Run(() => new IrohEndpoint(options, EndpointSockets.Bind(options)), cancellationToken);
    }

    /// <summary>Dials an endpoint and completes when it has proved its id.</summary>
    /// <param name="address">Whom, and where they may be: the first packets go to all addresses at once. A bare id will do where a look-up
    /// service knows it.</param>
    /// <param name="applicationProtocol">What to speak (ALPN), 1 to 255 bytes of UTF-8.</param>
    /// <param name="cancellationToken">Gives the attempt up.</param>
    /// <exception cref="IrohConnectException">No connection came up.</exception>
    public async Task<IrohConnection> ConnectAsync(
        EndpointAddress address, string applicationProtocol, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(address);
        ArgumentException.ThrowIfNullOrEmpty(applicationProtocol);
        return Adopt(await _dialler.ConnectAsync(address, applicationProtocol, cancellationToken).ConfigureAwait(false));
    }

    /// <summary>Waits for the next endpoint that dialled this one and proved its id.</summary>
    /// <returns>The connection; null once this endpoint is closed.</returns>
    public async ValueTask<IrohConnection?> AcceptAsync(CancellationToken cancellationToken = default) =>
        await _quic.AcceptAsync(cancellationToken).ConfigureAwait(false) is { } quic ? Adopt(quic) : null;

    /// <summary>
    /// Waits until the home relay is connected, so that <see cref="Ticket"/> holds it. Completes at once when there are no relays to wait for.
    /// </summary>
    public Task WaitOnlineAsync(CancellationToken cancellationToken = default) =>
        _home is null || _options.Relays.Count == 0 ? Task.CompletedTask : _home.Online.WaitAsync(cancellationToken);

    /// <summary>Replaces the protocols for which connections are accepted from now on. Connections that are up stay.</summary>
    public void SetApplicationProtocols(IEnumerable<string> protocols) =>
        _quic.SetApplicationProtocols([.. protocols.Select(protocol => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(protocol))]);

    /// <summary>Adds an address under which the endpoint can be reached from outside, such as a forwarded port.</summary>
    public void AddExternalAddress(IPEndPoint address) => _address.AddExternal(address);

    /// <summary>Takes an external address away again. False if it was not there.</summary>
    public bool RemoveExternalAddress(IPEndPoint address) => _address.RemoveExternal(address);

    /// <summary>The endpoint's address now, and again whenever it changes; ends when the endpoint is closed. A slow reader gets the newest.</summary>
    public IAsyncEnumerable<EndpointAddress> WatchAddressAsync(CancellationToken cancellationToken = default) =>
        _address.WatchAsync(cancellationToken);

    /// <summary>
    /// Closes every connection with code 0, waits until their peers had the time to hear of it, at most 3 seconds, and closes the
    /// sockets. May be called several times.
    /// </summary>
    public ValueTask DisposeAsync() => new(_disposal.Value);

    private static bool IsV4PortFixed(IrohEndpointOptions options) =>
        options.BindAddresses?.Any(address => address.AddressFamily == AddressFamily.InterNetwork && address.Port != 0) == true;

    private IrohConnection Adopt(QuicConnection quic)
    {
        var remote = EndpointId.FromBytes(quic.PeerPublicKey.Span);
        if (_relays is not null && _relays.Addresses.TryFind(quic.RemoteAddress, out RelayedEndpoint? relayed))
            _remotes.Add(remote, [TransportAddress.Relay(relayed.Relay)]);
        else if (!quic.RemoteAddress.IsVirtual)
            // Whoever dialled us from there can be dialled there, in another protocol, by its id alone.
            _remotes.Add(remote, [TransportAddress.Ip(quic.RemoteAddress.ToIPEndPoint())]);
        var paths = new ConnectionPaths(
            quic, remote, _remotes, _relays, [.. _options.Relays.Select(relay => relay.Url)],
            limit => _dialler.LookUpAsync(remote, limit), TimeProvider.System);
        _paths.TryAdd(paths, true);
        _ = paths.Completion.ContinueWith(
            _ => _paths.TryRemove(paths, out bool _), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        paths.SetCandidates(Volatile.Read(ref _candidates));
        if (_mapping is { } mapping)
            paths.SetNatMapping(mapping);
        return new IrohConnection(quic, paths, _relays?.Addresses);
    }

    private void OnAddressChanged(EndpointAddress address)
    {
        NetworkAddress[] candidates = [.. address.DirectAddresses.Select(NetworkAddress.From)];
        Volatile.Write(ref _candidates, candidates);
        foreach (ConnectionPaths paths in _paths.Keys)
            paths.SetCandidates(candidates);

        // Services hand the record over to their own work at once; what goes wrong there is theirs to tell.
        if (_lookups.Services.Count > 0)
            _ = _lookups.PublishAsync(new EndpointRecord(address, _options.UserData)).AsTask();
    }

    private void OnRelayStatus(RelayClientStatus status)
    {
        _home?.OnStatus(status);
        foreach (ConnectionPaths paths in _paths.Keys)
            paths.OnRelayNews();
    }

    private void OnPeerGone(EndpointId peer)
    {
        foreach (ConnectionPaths paths in _paths.Keys.Where(paths => paths.Remote == peer))
            paths.OnRelayNews();
    }

    private void OnReport(NetReportResult report)
    {
        _address.SetReport(report);
        _home?.OnReport(report);
        if (report is not { GlobalV4: { } global, MappingVariesByDestinationV4: { } varies })
            return;
        var mapping = new NatMapping(NetworkAddress.From(global), varies);
        if (_mapping == mapping)
            return;
        _mapping = mapping;
        foreach (ConnectionPaths paths in _paths.Keys)
            paths.SetNatMapping(mapping);
    }

    private void OnNetworkChange(NetworkStateChange change)
    {
        _address.SetInterfaces(change.After.Addresses);
        _outlook.OnNetworkChange(change.IsMajor);
        if (!change.IsMajor)
            return;
        _relays?.Pool.OnNetworkChange(change.After.Has);
        foreach (ConnectionPaths paths in _paths.Keys)
            paths.OnNetworkChange(path => path.Remote.IsVirtual || path.Local.IsUnspecified || change.After.Has(path.Local.ToIPEndPoint().Address));
    }

    private async Task CloseOnceAsync()
    {
        await _monitor.DisposeAsync().ConfigureAwait(false);
        await _outlook.DisposeAsync().ConfigureAwait(false);
        _home?.Dispose();
        await _quic.DisposeAsync().ConfigureAwait(false);
        await Task.WhenAll(_paths.Keys.Select(paths => paths.Completion)).ConfigureAwait(false);
        // Last, so that peers behind relays hear that their connections are closed.
        if (_relays is not null)
            await _relays.DisposeAsync().ConfigureAwait(false);
        await _lookups.DisposeAsync().ConfigureAwait(false);
        _address.Complete();
    }
}
