using System.Net;
using System.Text;
using Iroh.Base;
using Iroh.Lookup;
using Iroh.Paths;
using Iroh.Quic;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Dialling;

/// <summary>
/// Dials endpoints by their id: the first packets go to every address that is known, at once, and to those that a look-up finds while the
/// handshake goes on. May be used from any thread.
/// </summary>
internal sealed class Dialler
{
    // Somebody else at an old address must not keep us from the others; more strangers than this are no accident.
    private const int StrangersMax = 4;

    private readonly EndpointId _self;
    private readonly QuicEndpoint _quic;
    private readonly RemoteBook _remotes;
    private readonly RelayAddressBook? _relays;
    private readonly LookupSet _lookups;
    private readonly TimeSpan _timeout;

    /// <param name="self">Who dials; there is no way to oneself.</param>
    /// <param name="quic">Whose sockets to use.</param>
    /// <param name="remotes">What is known, and learns what is found.</param>
    /// <param name="relays">Null if relays are not to be used.</param>
    /// <param name="lookups">Asked for every dial, also when addresses are known: they may be old.</param>
    /// <param name="timeout">How long a dial may take.</param>
    public Dialler(
        EndpointId self, QuicEndpoint quic, RemoteBook remotes, RelayAddressBook? relays, LookupSet lookups, TimeSpan timeout)
    {
        (_self, _quic, _remotes, _relays, _lookups, _timeout) = (self, quic, remotes, relays, lookups, timeout);
    }

    /// <summary>Dials, and completes when the endpoint has proved its id.</summary>
    /// <exception cref="IrohConnectException">No connection came up.</exception>
    public async Task<QuicConnection> ConnectAsync(EndpointAddress address, string protocol, CancellationToken cancellationToken)
    {
        if (address.Id == _self)
            throw new IrohConnectException(IrohConnectFailure.Self, _self, $"Endpoint {_self.ToShortString()} cannot dial itself: that is its own id.");
        _remotes.Add(address.Id, address.Addresses.Reverse());
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        stopping.CancelAfter(_timeout);
        var search = new Search(_lookups, _remotes, address.Id, stopping.Token);
        try
        {
            NetworkAddress[] targets = Targets(address.Id);
            if (targets.Length == 0)
            {
                await FindFirstAsync(search, address.Id, cancellationToken).ConfigureAwait(false);
                targets = Targets(address.Id);
            }

            var strangers = new HashSet<NetworkAddress>();
            while (true)
            {
                try
                {
                    return await DialAsync(address.Id, protocol, targets, search, strangers, cancellationToken).ConfigureAwait(false);
                }
                catch (IrohConnectException exception) when (exception.Failure == IrohConnectFailure.WrongEndpointId && strangers.Count <= StrangersMax)
                {
                    targets = [.. Targets(address.Id).Except(strangers)];
                    if (targets.Length == 0)
                        throw;
                }
            }
        }
        finally
        {
            await stopping.CancelAsync().ConfigureAwait(false);
            await search.Completion.ConfigureAwait(false);
        }
    }

    /// <summary>Looks an endpoint up again, for a connection whose ways are all lost; what is found goes into the book. Never fails.</summary>
    /// <param name="id">Who has moved.</param>
    /// <param name="limit">How long it may take.</param>
    public async Task LookUpAsync(EndpointId id, TimeSpan limit)
    {
        using var stopping = new CancellationTokenSource(limit);
        await new Search(_lookups, _remotes, id, stopping.Token).Completion.ConfigureAwait(false);
    }

    private async Task<QuicConnection> DialAsync(
        EndpointId id, string protocol, NetworkAddress[] targets, Search search, HashSet<NetworkAddress> strangers,
        CancellationToken cancellationToken)
    {
        QuicAttempt attempt = _quic.StartConnect(new QuicConnectOptions
        {
            RemoteEndPoints = [.. targets.Where(target => !target.IsVirtual).Select(target => target.ToIPEndPoint())],
            VirtualRemotes = [.. targets.Where(target => target.IsVirtual)],
            ApplicationProtocols = [Encoding.UTF8.GetBytes(protocol)],
            ExpectedPeerPublicKey = id.Span.ToArray(),
            HandshakeTimeout = _timeout,
        });
        search.OnFound(() =>
        {
            foreach (NetworkAddress target in Targets(id).Except(strangers))
                attempt.AddRemote(target);
        });
        try
        {
            return await attempt.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (QuicConnectionException exception)
        {
            if (exception.CloseReason.Kind == QuicCloseKind.PeerIdentityMismatch)
                strangers.Add(attempt.Connection.RemoteAddress);
            throw Explain(id, protocol, exception);
        }
    }

    /// <summary>Waits until the look-up has found an address that can be dialled.</summary>
    private async Task FindFirstAsync(Search search, EndpointId id, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task more = search.Next;
            if (Targets(id).Length > 0)
                return;
            if (search.Completion.IsCompleted)
                break;
            await Task.WhenAny(more, search.Completion).WaitAsync(cancellationToken).ConfigureAwait(false);
        }

        if (Targets(id).Length > 0)
            return;
        string known = _remotes.Find(id) is { Count: > 0 } unusable
            ? $"none of its addresses can be reached from here ({string.Join(", ", unusable)})."
            : $"no address of it is known. {search.Failure}";
        throw new IrohConnectException(IrohConnectFailure.NoAddress, id, $"Endpoint {id.ToShortString()} cannot be dialled: {known.TrimEnd()}");
    }

    private NetworkAddress[] Targets(EndpointId id) =>
    [
        .. _remotes.Find(id).Select(address => address switch
        {
            IpTransportAddress ip when ip.EndPoint.Port != 0 && HasSocketFor(ip.EndPoint) => NetworkAddress.From(ip.EndPoint),
            RelayTransportAddress relay when _relays is not null => _relays.AddressOf(relay.Url, id),
            _ => default,
        }).Where(target => !target.IsUnspecified),
    ];

    private bool HasSocketFor(IPEndPoint remote) => _quic.LocalEndPoints.Any(local => local.AddressFamily == remote.AddressFamily);

    private IrohConnectException Explain(EndpointId id, string protocol, QuicConnectionException exception)
    {
        string who = id.ToShortString();
        string tried = string.Join(", ", _remotes.Find(id).Where(address => _relays is not null || address is IpTransportAddress).Select(address => address switch
        {
            IpTransportAddress ip => ip.EndPoint.ToString(),
            RelayTransportAddress relay => relay.Url.ToString(),
            _ => address.ToString(),
        }));
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

    /// <summary>A look-up under way, whose results go into the book.</summary>
    private sealed class Search
    {
        private readonly Lock _lock = new();
        private TaskCompletionSource _next = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private Action? _onFound;
        private int _results;

        public Search(LookupSet lookups, RemoteBook remotes, EndpointId id, CancellationToken stopping) =>
            Completion = lookups.Services.Count == 0 ? Task.CompletedTask : RunAsync(lookups, remotes, id, stopping);

        /// <summary>Completes with the next result.</summary>
        public Task Next
        {
            get
            {
                lock (_lock)
                    return _next.Task;
            }
        }

        /// <summary>Completes, and never fails, when there will be no more results.</summary>
        public Task Completion { get; }

        /// <summary>Why nothing was found, a sentence; empty otherwise.</summary>
        public string Failure { get; private set; } = "";

        /// <summary>Calls back for each result from now on, and at once for those that are there.</summary>
        public void OnFound(Action action)
        {
            lock (_lock)
            {
                _onFound = action;
                if (_results == 0)
                    return;
            }

            action();
        }

        private async Task RunAsync(LookupSet lookups, RemoteBook remotes, EndpointId id, CancellationToken stopping)
        {
            try
            {
                await foreach (LookupResult result in lookups.ResolveAsync(id, stopping).ConfigureAwait(false))
                {
                    remotes.Add(id, result.Address.Addresses.Reverse());
                    Action? action;
                    TaskCompletionSource found;
                    lock (_lock)
                    {
                        _results++;
                        action = _onFound;
                        found = _next;
                        _next = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                    }

                    found.SetResult();
                    action?.Invoke();
                }
            }
            catch (AddressLookupException exception)
            {
                Failure = exception.Message;
            }
            catch (OperationCanceledException)
            {
            }
        }
    }
}
