using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text;
using Iroh.Base;
using Iroh.LocalAddresses;
using Iroh.Quic;

namespace Iroh;

/// <summary>
/// One end of the peer-to-peer network: it owns a key, dials other endpoints by theirs, and accepts those that dial it. It
/// understands Rust iroh 1.0 and is understood by it. All members may be used from any thread, several calls at once.
/// </summary>
public sealed class IrohEndpoint : IAsyncDisposable
{
    private readonly IrohEndpointOptions _options;
    private readonly QuicEndpoint _quic;
    private readonly NetworkMonitor _monitor;
    private readonly Lock _addressing = new();
    private readonly SortedSet<TransportAddress> _external = [];
    private readonly Lazy<Task> _disposal;
    private EndpointAddress _address;
    private TaskCompletionSource _addressChanged = NewSignal();
    private bool _isClosed;

    private IrohEndpoint(IrohEndpointOptions options, QuicEndpoint quic)
    {
        _options = options;
        _quic = quic;
        _external.UnionWith(options.ExternalAddresses.Select(TransportAddress.Ip));
        _address = SelectAddress();
        _monitor = new NetworkMonitor(_ => RefreshAddress());
        _disposal = new Lazy<Task>(CloseOnceAsync);
    }

    /// <summary>The id by which others dial this endpoint.</summary>
    public EndpointId Id => _options.SecretKey.PublicKey;

    /// <summary>The id with the addresses under which the endpoint is thought to be reachable now.</summary>
    public EndpointAddress Address => Volatile.Read(ref _address);

    /// <summary><see cref="Address"/> as a string to hand around.</summary>
    public EndpointTicket Ticket => new(Address);

    /// <summary>The addresses that the sockets are bound to, with their real ports.</summary>
    public IReadOnlyList<IPEndPoint> BoundSockets => _quic.LocalEndPoints;

    /// <summary>Binds the sockets and starts to listen.</summary>
    /// <exception cref="QuicBindException">An address cannot be bound; the message says what to do.</exception>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public static Task<IrohEndpoint> BindAsync(IrohEndpointOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new IrohEndpointOptions();
        // Listing the interfaces and binding are quick, but they are system calls: they do not run on the caller's thread.
        return Task.Run(() => new IrohEndpoint(options, Bind(options)), cancellationToken);
    }

    /// <summary>Dials an endpoint and completes when it has proved its id.</summary>
    /// <param name="address">Whom, and where they may be: the first packets go to all addresses at once.</param>
    /// <param name="applicationProtocol">What to speak (ALPN), 1 to 255 bytes of UTF-8.</param>
    /// <param name="cancellationToken">Gives the attempt up.</param>
    /// <exception cref="IrohConnectException">No connection came up.</exception>
    public async Task<IrohConnection> ConnectAsync(
        EndpointAddress address, string applicationProtocol, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(address);
        ArgumentException.ThrowIfNullOrEmpty(applicationProtocol);
        string who = address.Id.ToShortString();
        if (address.Id == Id)
            throw new IrohConnectException(IrohConnectFailure.Self, address.Id, $"Endpoint {who} cannot dial itself: that is its own id.");
        IPEndPoint[] remotes = [.. address.DirectAddresses.Where(CanReach)];
        if (remotes.Length == 0)
        {
            throw new IrohConnectException(
                IrohConnectFailure.NoAddress, address.Id, $"Endpoint {who} cannot be dialled: its ticket or address holds no UDP address that this machine can reach.");
        }

        try
        {
            QuicConnection quic = await _quic.ConnectAsync(
                new QuicConnectOptions
                {
                    RemoteEndPoints = remotes,
                    ApplicationProtocols = [Encoding.UTF8.GetBytes(applicationProtocol)],
                    ExpectedPeerPublicKey = address.Id.Span.ToArray(),
                    HandshakeTimeout = _options.ConnectTimeout,
                },
                cancellationToken).ConfigureAwait(false);
            return new IrohConnection(quic, isDialled: true);
        }
        catch (QuicConnectionException exception)
        {
            throw Explain(address.Id, remotes, applicationProtocol, exception);
        }
    }

    /// <summary>Waits for the next endpoint that dialled this one and proved its id.</summary>
    /// <returns>The connection; null once this endpoint is closed.</returns>
    public async ValueTask<IrohConnection?> AcceptAsync(CancellationToken cancellationToken = default) =>
        await _quic.AcceptAsync(cancellationToken).ConfigureAwait(false) is { } quic ? new IrohConnection(quic, isDialled: false) : null;

    /// <summary>Replaces the protocols for which connections are accepted from now on. Connections that are up stay.</summary>
    public void SetApplicationProtocols(IEnumerable<string> protocols) =>
        _quic.SetApplicationProtocols([.. protocols.Select(protocol => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(protocol))]);

    /// <summary>Adds an address under which the endpoint can be reached from outside, such as a forwarded port.</summary>
    public void AddExternalAddress(IPEndPoint address)
    {
        lock (_addressing)
            _external.Add(TransportAddress.Ip(address));
        RefreshAddress();
    }

    /// <summary>Takes an external address away again. False if it was not there.</summary>
    public bool RemoveExternalAddress(IPEndPoint address)
    {
        bool removed;
        lock (_addressing)
            removed = _external.Remove(TransportAddress.Ip(address));
        RefreshAddress();
        return removed;
    }

    /// <summary>The endpoint's address now, and again whenever it changes; ends when the endpoint is closed. A slow reader gets the newest.</summary>
    public async IAsyncEnumerable<EndpointAddress> WatchAddressAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        EndpointAddress? last = null;
        while (true)
        {
            Task changed;
            EndpointAddress current;
            lock (_addressing)
                (changed, current) = (_addressChanged.Task, _address);
            if (!current.Equals(last))
            {
                yield return current;
                last = current;
                continue;
            }

            if (Volatile.Read(ref _isClosed))
                yield break;
            await changed.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Closes every connection with code 0, waits until their peers had the time to hear of it, at most 3 seconds, and closes the
    /// sockets. May be called several times.
    /// </summary>
    public ValueTask DisposeAsync() => new(_disposal.Value);

    private static QuicEndpoint Bind(IrohEndpointOptions options)
    {
        if (options.BindAddresses is { } addresses)
            return Create(options, addresses);
        var anyIPv4 = new IPEndPoint(IPAddress.Any, 0);
        try
        {
            return Create(options, [anyIPv4, new IPEndPoint(IPAddress.IPv6Any, 0)]);
        }
        catch (QuicBindException exception) when (exception.Address.AddressFamily == AddressFamily.InterNetworkV6)
        {
            return Create(options, [anyIPv4]);
        }
    }

    private static QuicEndpoint Create(IrohEndpointOptions options, IReadOnlyList<IPEndPoint> addresses) => QuicEndpoint.Create(
        new QuicEndpointOptions
        {
            LocalEndPoints = addresses,
            PrivateKeySeed = options.SecretKey.Seed.ToArray(),
            ApplicationProtocols = [.. options.ApplicationProtocols.Select(protocol => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(protocol))],
            Connections = options.Connections,
            MeterFactory = options.MeterFactory,
        });

    private static IrohConnectException Explain(
        EndpointId id, IPEndPoint[] remotes, string protocol, QuicConnectionException exception)
    {
        string who = id.ToShortString();
        string tried = string.Join(", ", remotes.Select(remote => remote.ToString()));
        QuicCloseReason reason = exception.CloseReason;
        (IrohConnectFailure failure, string message) = reason switch
        {
            { Kind: QuicCloseKind.TimedOut } => (IrohConnectFailure.TimedOut, $"Endpoint {who} did not answer at {tried}."),
            { Kind: QuicCloseKind.PeerIdentityMismatch } => (
                IrohConnectFailure.WrongEndpointId,
                $"At {tried} answers another endpoint than {who}: the address is out of date, or somebody pretends. Ask for a new ticket."),
            { Kind: QuicCloseKind.HandshakeFailed, Code: QuicCloseReason.NoApplicationProtocol } => (
                IrohConnectFailure.ProtocolNotSupported, $"Endpoint {who} does not speak '{protocol}'."),
            _ => (IrohConnectFailure.Refused, $"Endpoint {who} at {tried}: {reason}."),
        };
        return new IrohConnectException(failure, id, message, exception);
    }

    private bool CanReach(IPEndPoint remote) =>
        remote.Port != 0 && BoundSockets.Any(socket => socket.AddressFamily == remote.AddressFamily);

    private void RefreshAddress()
    {
        TaskCompletionSource changed;
        lock (_addressing)
        {
            EndpointAddress address = SelectAddress();
            if (address.Equals(_address))
                return;
            Volatile.Write(ref _address, address);
            changed = _addressChanged;
            _addressChanged = NewSignal();
        }

        changed.SetResult();
    }

    private EndpointAddress SelectAddress() => new(
        Id,
        DirectAddressSelection.Select(_quic.LocalEndPoints, NetworkInterfaces.List()).Select(TransportAddress.Ip).Concat(_external));

    private async Task CloseOnceAsync()
    {
        await _monitor.DisposeAsync().ConfigureAwait(false);
        await _quic.DisposeAsync().ConfigureAwait(false);
        TaskCompletionSource changed;
        lock (_addressing)
        {
            Volatile.Write(ref _isClosed, true);
            changed = _addressChanged;
        }

        changed.TrySetResult();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
