using System.Net;
using System.Net.Sockets;
using Iroh.Quic;

namespace Iroh.NetReport.AddressDiscovery;

/// <summary>
/// Asks relays over QUIC which address they see (QUIC address discovery, "QAD"), from the socket that peers will be reached by: what they
/// say is the NAT's mapping of that very socket. The first good connection of each address family is kept, answers later questions to the
/// same relay at once, and tells of changes. Thread-safe.
/// </summary>
public sealed class AddressDiscoveryClient : IAddressProbe, IAsyncDisposable
{
    // What iroh's clients close with.
    private const ulong FinishedCode = 1;
    private const string FinishedReason = "finished";

    // A relay has one or two. Each costs a copy of the first packets.
    private const int AddressesMax = 4;

    private static readonly ReadOnlyMemory<byte> s_protocol = "/iroh-qad/0"u8.ToArray();

    // Nobody waits that long for a net report; bounds an attempt whose caller has set no limit.
    private static readonly TimeSpan s_handshakeLimit = TimeSpan.FromSeconds(10);

    private readonly QuicEndpoint _endpoint;
    private readonly AddressDiscoveryOptions _options;
    private readonly Lock _lock = new();
    private readonly Dictionary<AddressFamily, Kept> _kept = [];
    private readonly HashSet<Task> _watching = [];
    private bool _isDisposed;

    /// <summary>Asks nobody yet.</summary>
    /// <param name="endpoint">Whose sockets are asked about. The caller's; to be disposed after this.</param>
    /// <param name="options">Null for the defaults.</param>
    public AddressDiscoveryClient(QuicEndpoint endpoint, AddressDiscoveryOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        (_endpoint, _options) = (endpoint, options ?? new AddressDiscoveryOptions());
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The relay has no <see cref="RelayConfiguration.AddressDiscoveryPort"/>.</exception>
    public async Task<ObservedAddress> ProbeAsync(RelayConfiguration relay, AddressFamily family, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(relay);
        if (relay.AddressDiscoveryPort is not { } port)
            throw new ArgumentException($"{relay.Url} has no port for address discovery.", nameof(relay));
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            if (_kept.TryGetValue(family, out Kept? kept) && kept.Relay.Equals(relay) && kept.TryRead() is { } known)
                return known;
        }

        if (!_endpoint.LocalEndPoints.Any(local => local.AddressFamily == family))
            throw new ProbeException($"{relay.Url} cannot be asked over {Name(family)}: there is no socket for it here.");
        string host = relay.Url.Uri.IdnHost;
        IPAddress[] addresses = await ResolveAsync(host, family, cancellationToken).ConfigureAwait(false);
        try
        {
            QuicConnection connection = await _endpoint.ConnectAsync(
                new QuicConnectOptions
                {
                    RemoteEndPoints = [.. addresses.Select(address => new IPEndPoint(address, port))],
                    ApplicationProtocols = [s_protocol],
                    ServerName = host,
                    CertificateChainPolicy = _options.CertificateChainPolicy,
                    CertificateValidationCallback = _options.CertificateValidation,
                    Connection = _options.Connection,
                    HandshakeTimeout = s_handshakeLimit,
                },
                cancellationToken).ConfigureAwait(false);
            return await AskAsync(new Kept(relay, family, connection), cancellationToken).ConfigureAwait(false);
        }
        catch (QuicConnectionException exception)
        {
            throw new ProbeException($"{relay.Url} did not tell our address on UDP port {port} over {Name(family)}: {exception.CloseReason}", exception);
        }
    }

    /// <summary>
    /// Lets go of what was learnt: the next probes ask anew. For when the machine's network has changed, as a kept connection would go on
    /// saying for up to 35 s what no longer holds.
    /// </summary>
    public async Task ForgetAsync()
    {
        Kept[] kept;
        lock (_lock)
        {
            kept = [.. _kept.Values];
            _kept.Clear();
        }

        foreach (Kept each in kept)
            await each.Connection.CloseAsync(FinishedCode, FinishedReason).ConfigureAwait(false);
    }

    /// <summary>Closes the connections that were kept.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_lock)
            _isDisposed = true;
        await ForgetAsync().ConfigureAwait(false);
        Task[] watching;
        lock (_lock)
            watching = [.. _watching];
        await Task.WhenAll(watching).ConfigureAwait(false);
    }

    private async Task<ObservedAddress> AskAsync(Kept asked, CancellationToken cancellationToken)
    {
        bool keeps = false;
        try
        {
            IPEndPoint seen = await asked.Connection.WaitForObservedAddressAsync(null, cancellationToken).ConfigureAwait(false);
            if (seen.AddressFamily != asked.Family)
                throw new ProbeException($"{asked.Relay.Url} was asked over {Name(asked.Family)} and says it sees {seen}.");
            keeps = TryKeep(asked, seen);
            return asked.Report(seen);
        }
        finally
        {
            if (!keeps)
                await asked.Connection.CloseAsync(FinishedCode, FinishedReason).ConfigureAwait(false);
        }
    }

    private bool TryKeep(Kept asked, IPEndPoint seen)
    {
        lock (_lock)
        {
            if (_isDisposed || !_kept.TryAdd(asked.Family, asked))
                return false;
            Task watching = WatchAsync(asked, seen);
            _watching.Add(watching);
            _watching.RemoveWhere(task => task.IsCompleted);
            return true;
        }
    }

    private async Task WatchAsync(Kept kept, IPEndPoint seen)
    {
        await Task.Yield(); // Called under the lock.
        try
        {
            while (true)
            {
                seen = await kept.Connection.WaitForObservedAddressAsync(seen, default).ConfigureAwait(false);
                if (seen.AddressFamily == kept.Family)
                    _options.Changed?.Invoke(kept.Family, kept.Report(seen));
            }
        }
        catch (QuicConnectionException)
        {
            // It has ended, by us or by the relay; the next probe makes a new one.
        }

        lock (_lock)
        {
            if (_kept.TryGetValue(kept.Family, out Kept? current) && current == kept)
                _kept.Remove(kept.Family);
        }
    }

    private static async Task<IPAddress[]> ResolveAsync(string host, AddressFamily family, CancellationToken cancellationToken)
    {
        if (IPAddress.TryParse(host, out IPAddress? literal))
        {
            return literal.AddressFamily == family
                ? [literal]
                : throw new ProbeException($"{host} cannot be asked over {Name(family)}: it is an address of the other family.");
        }

        try
        {
            IPAddress[] addresses = await System.Net.Dns.GetHostAddressesAsync(host, family, cancellationToken).ConfigureAwait(false);
            return addresses.Length > 0 ? addresses[..Math.Min(addresses.Length, AddressesMax)] : throw NoAddress(null);
        }
        catch (SocketException exception)
        {
            throw NoAddress(exception);
        }

        ProbeException NoAddress(Exception? inner) => new($"{host} has no {Name(family)} address{(inner is null ? "" : $": {inner.Message}")}.", inner);
    }

    private static string Name(AddressFamily family) => family == AddressFamily.InterNetwork ? "IPv4" : "IPv6";

    private sealed record Kept(RelayConfiguration Relay, AddressFamily Family, QuicConnection Connection)
    {
        /// <summary>What the relay sees now; null if the connection has ended, or if that makes no sense.</summary>
        public ObservedAddress? TryRead() =>
            !Connection.Closed.IsCompleted && Connection.ObservedAddress is { } seen && seen.AddressFamily == Family ? Report(seen) : null;

        public ObservedAddress Report(IPEndPoint seen)
        {
            TimeSpan roundTrip = Connection.Statistics.SmoothedRtt;
            return new ObservedAddress(seen, roundTrip > TimeSpan.Zero ? roundTrip : TimeSpan.FromTicks(1));
        }
    }
}
