using System.Net;
using System.Net.Sockets;
using System.Text;
using Iroh.Addressing;
using Iroh.Base;
using Iroh.Dialling;
using Iroh.Dns;
using Iroh.LocalAddresses;
using Iroh.Lookup;
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
    private readonly OwnAddress _address;
    private readonly NetworkMonitor _monitor;
    private readonly LookupSet _lookups;
    private readonly Dialler _dialler;
    private readonly Lazy<Task> _disposal;

    private IrohEndpoint(IrohEndpointOptions options, QuicEndpoint quic)
    {
        _options = options;
        _quic = quic;
        _lookups = new LookupSet(options.AddressLookups);
        _dialler = new Dialler(Id, quic, new RemoteBook(), null, _lookups, options.ConnectTimeout);
        _address = new OwnAddress(
            Id, quic.LocalEndPoints, IsV4PortFixed(options), options.ExternalAddresses, NetworkInterfaces.List(), OnAddressChanged);
        _monitor = new NetworkMonitor(change => _address.SetInterfaces(change.After.Addresses));
        _disposal = new Lazy<Task>(CloseOnceAsync);
        OnAddressChanged(_address.Current);
    }

    /// <summary>The id by which others dial this endpoint.</summary>
    public EndpointId Id => _options.SecretKey.PublicKey;

    /// <summary>The id with the addresses under which the endpoint is thought to be reachable now.</summary>
    public EndpointAddress Address => _address.Current;

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
        return new IrohConnection(
            await _dialler.ConnectAsync(address, applicationProtocol, cancellationToken).ConfigureAwait(false), isDialled: true);
    }

    /// <summary>Waits for the next endpoint that dialled this one and proved its id.</summary>
    /// <returns>The connection; null once this endpoint is closed.</returns>
    public async ValueTask<IrohConnection?> AcceptAsync(CancellationToken cancellationToken = default) =>
        await _quic.AcceptAsync(cancellationToken).ConfigureAwait(false) is { } quic ? new IrohConnection(quic, isDialled: false) : null;

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

    private static bool IsV4PortFixed(IrohEndpointOptions options) =>
        options.BindAddresses?.Any(address => address.AddressFamily == AddressFamily.InterNetwork && address.Port != 0) == true;

    private void OnAddressChanged(EndpointAddress address)
    {
        // Services hand the record over to their own work at once; what goes wrong there is theirs to tell.
        if (_lookups.Services.Count > 0)
            _ = _lookups.PublishAsync(new EndpointRecord(address, _options.UserData)).AsTask();
    }

    private async Task CloseOnceAsync()
    {
        await _monitor.DisposeAsync().ConfigureAwait(false);
        await _quic.DisposeAsync().ConfigureAwait(false);
        await _lookups.DisposeAsync().ConfigureAwait(false);
        _address.Complete();
    }
}
