using System.Threading.Channels;
using Iroh.Base;
using Iroh.Dialling;
using Iroh.Quic;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.NatTraversal;
using Iroh.Quic.Protocol.Paths;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Relays;

namespace Iroh.Paths;

/// <summary>
/// Carries out for one connection what <see cref="PathPolicy"/> decides: looks at the paths whenever something happened or the policy
/// asked to, for as long as the connection lives. All members may be used from any thread.
/// </summary>
internal sealed class ConnectionPaths
{
    // As long as a look-up usually takes with retries, and time for what it found to be tried.
    private static readonly TimeSpan s_lookUpEvery = TimeSpan.FromSeconds(3);

    private readonly QuicConnection _quic;
    private readonly EndpointId _remote;
    private readonly RemoteBook _remotes;
    private readonly RelayTransport? _relays;
    private readonly IReadOnlyList<RelayUrl> _ownRelays;
    private readonly Func<TimeSpan, Task> _lookUp;
    private readonly TimeProvider _time;
    private readonly PathPolicy _policy;
    private readonly Channel<bool> _wakes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private Task _looking = Task.CompletedTask;
    private NetworkAddress[] _candidates = [];
    private int _news;
    private volatile bool _hasEnded;
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Starts; ends with the connection.</summary>
    /// <param name="quic">Whose paths.</param>
    /// <param name="remote">The peer.</param>
    /// <param name="remotes">What is known of peers' relays.</param>
    /// <param name="relays">Null if relays are not to be used.</param>
    /// <param name="ownRelays">Where to look for a peer whose relay is gone: those of one fleet mostly share theirs.</param>
    /// <param name="lookUp">Looks the peer up within a time, into <paramref name="remotes"/>; never fails.</param>
    /// <param name="time">The clock.</param>
    public ConnectionPaths(
        QuicConnection quic, EndpointId remote, RemoteBook remotes, RelayTransport? relays, IReadOnlyList<RelayUrl> ownRelays,
        Func<TimeSpan, Task> lookUp, TimeProvider time)
    {
        (_quic, _remote, _remotes, _relays, _ownRelays, _lookUp, _time) = (quic, remote, remotes, relays, ownRelays, lookUp, time);
        _policy = new PathPolicy(quic.IsClient);
        Completion = Task.Run(RunAsync);
    }

    /// <summary>Completes, and never fails, when the connection has ended.</summary>
    public Task Completion { get; }

    /// <summary>Completes with the next change of the paths.</summary>
    public Task Changed => Volatile.Read(ref _changed).Task;

    /// <summary>This endpoint can be reached at other addresses than before.</summary>
    public void SetCandidates(NetworkAddress[] candidates)
    {
        Volatile.Write(ref _candidates, candidates);
        _quic.SetLocalCandidates(candidates);
        Wake(PathNews.CandidatesChanged);
    }

    /// <summary>The peer.</summary>
    public EndpointId Remote => _remote;

    /// <summary>A relay's connection came, went, or lost the peer: looks at the paths.</summary>
    public void OnRelayNews() => Wake(PathNews.None);

    /// <summary>How this endpoint's NAT maps its socket.</summary>
    public void SetNatMapping(NatMapping mapping) => _quic.SetNatMapping(mapping);

    /// <summary>The machine's network has changed.</summary>
    /// <param name="recoverable">Whether a path with these addresses can still work. Must not block.</param>
    public void OnNetworkChange(Func<FourTuple, bool> recoverable)
    {
        _quic.OnNetworkChange(recoverable);
        Wake(PathNews.NetworkChanged);
    }

    private static PathNews NewsOf(ConnectionEventKind kind) => kind switch
    {
        ConnectionEventKind.PeerCandidatesChanged => PathNews.PeerCandidatesChanged,
        ConnectionEventKind.PathClosed => PathNews.PathLost,
        ConnectionEventKind.PathsAvailable => PathNews.PathsAvailable,
        _ => PathNews.None,
    };

    private void Wake(PathNews news)
    {
        Interlocked.Or(ref _news, (int)news);
        _wakes.Writer.TryWrite(true);
    }

    private async Task RunAsync()
    {
        Task listening = ListenAsync();
        while (!_hasEnded)
        {
            Instant lookAgain = Look();
            Interlocked.Exchange(ref _changed, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
            await WaitAsync(lookAgain).ConfigureAwait(false);
        }

        await listening.ConfigureAwait(false);
        Volatile.Read(ref _changed).TrySetResult();
    }

    private async Task ListenAsync()
    {
        try
        {
            while (true)
            {
                PathNews news = PathNews.None;
                foreach (ConnectionEvent e in await _quic.TakePathEventsAsync().ConfigureAwait(false))
                    news |= NewsOf(e.Kind);
                Wake(news);
            }
        }
        catch (QuicConnectionException)
        {
            _hasEnded = true;
            _wakes.Writer.TryWrite(true);
        }
    }

    private async Task WaitAsync(Instant lookAgain)
    {
        TimeSpan wait = lookAgain - _time.Now();
        if (wait <= TimeSpan.Zero)
            wait = TimeSpan.FromMilliseconds(1);
        using var due = new CancellationTokenSource(wait, _time);
        try
        {
            await _wakes.Reader.ReadAsync(due.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
        }
    }

    private Instant Look()
    {
        var news = (PathNews)Interlocked.Exchange(ref _news, 0);
        Instant now = _time.Now();
        IReadOnlyList<PathSnapshot> paths = _quic.Paths;
        var views = new PathView[paths.Count];
        for (int i = 0; i < views.Length; i++)
        {
            PathSnapshot path = paths[i];
            NetworkAddress remote = path.Address.Remote;
            // The relay's connection tells sooner than QUIC does, and also when there is nothing to send.
            bool isSilent = path.IsSilent || (remote.IsVirtual && _relays?.Reaches(remote) != true);
            views[i] = new PathView(path.Id, remote, path.SmoothedRtt, path.IsValidated, isSilent, path.Status == PathStatus.Available);
        }

        bool isMultipath = _quic.IsMultipath;
        bool isLost = _quic.IsClient && !Array.Exists(views, view => view.Works);
        if (isLost && _looking.IsCompleted)
            _looking = LookUpAsync();
        PathDecision decision = _policy.Look(now, new PathSituation
        {
            Paths = views,
            Relays = isMultipath ? RelaysOfPeer(isLost) : [],
            CanPunch = isMultipath && Volatile.Read(ref _candidates).Length > 0 && _quic.IsNatTraversalNegotiated,
            HasPeerCandidates = _quic.PeerCandidates.Count > 0,
            News = news,
        });
        if (isMultipath)
            Apply(decision, views);
        return decision.LookAgain;
    }

    private void Apply(PathDecision decision, PathView[] views)
    {
        foreach (PathView path in views)
        {
            bool isSelected = path.Id == decision.Selected;
            if (decision.Selected is not null && path.IsAvailable != isSelected && path.IsValidated)
                _quic.SetPathStatus(path.Id, isSelected ? PathStatus.Available : PathStatus.Backup);
        }

        foreach (PathId surplus in decision.Close)
            _quic.ClosePath(surplus, PathErrorCode.ApplicationAbandon);
        if (!decision.OpenRelay.IsUnspecified
            && _quic.OpenPath(decision.OpenRelay, PathStatus.Backup) is PathOpenResult.NoConnectionId or PathOpenResult.NoPathId)
            _policy.OnRelayRefused();
        if (decision.StartRound)
            _quic.StartHolePunching();
    }

    // The peer may have moved to another network and another relay; who knows it is asked, and not more often than once in a while.
    private async Task LookUpAsync()
    {
        await _lookUp(s_lookUpEvery).ConfigureAwait(false);
        Wake(PathNews.PathsAvailable);
        await Task.WhenAny(Completion, Task.Delay(s_lookUpEvery, _time)).ConfigureAwait(false);
    }

    private NetworkAddress[] RelaysOfPeer(bool isLost)
    {
        if (_relays is null)
            return [];
        IEnumerable<RelayUrl> known = _remotes.Find(_remote).OfType<RelayTransportAddress>().Select(relay => relay.Url);
        IEnumerable<RelayUrl> wanted = isLost ? known.Concat(_ownRelays).Distinct() : known;
        // One that is known to be down comes last, and only when there is no other.
        RelayUrl[] up = [.. wanted.Where(url => !_relays.IsDown(url))];
        return [.. (up.Length > 0 ? up : wanted).Select(url => _relays.Addresses.AddressOf(url, _remote))];
    }
}
