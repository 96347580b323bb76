using System.Threading.Channels;
using Iroh.Base;
using Iroh.Dialling;
using Iroh.Quic;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.NatTraversal;
using Iroh.Quic.Protocol.Paths;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Paths;

/// <summary>
/// Carries out for one connection what <see cref="PathPolicy"/> decides: looks at the paths whenever something happened or the policy
/// asked to, for as long as the connection lives. All members may be used from any thread.
/// </summary>
internal sealed class ConnectionPaths
{
    private readonly QuicConnection _quic;
    private readonly EndpointId _remote;
    private readonly RemoteBook _remotes;
    private readonly RelayAddressBook? _relays;
    private readonly TimeProvider _time;
    private readonly PathPolicy _policy;
    private readonly Channel<bool> _wakes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private NetworkAddress[] _candidates = [];
    private int _news;
    private volatile bool _hasEnded;
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Starts; ends with the connection.</summary>
    /// <param name="quic">Whose paths.</param>
    /// <param name="remote">The peer.</param>
    /// <param name="remotes">What is known of peers' relays.</param>
    /// <param name="relays">Null if relays are not to be used.</param>
    /// <param name="time">The clock.</param>
    public ConnectionPaths(QuicConnection quic, EndpointId remote, RemoteBook remotes, RelayAddressBook? relays, TimeProvider time)
    {
        (_quic, _remote, _remotes, _relays, _time) = (quic, remote, remotes, relays, time);
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
        ConnectionEventKind.PeerCandidatesChanged => PathNews.CandidatesChanged,
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
            views[i] = new PathView(
                path.Id, path.Address.Remote, path.SmoothedRtt, path.IsValidated, path.IsSilent, path.Status == PathStatus.Available);
        }

        bool isMultipath = _quic.IsMultipath;
        PathDecision decision = _policy.Look(now, new PathSituation
        {
            Paths = views,
            Relays = isMultipath ? RelaysOfPeer() : [],
            CanPunch = isMultipath && Volatile.Read(ref _candidates).Length > 0 && _quic.PeerCandidates.Count > 0,
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

    private NetworkAddress[] RelaysOfPeer() => _relays is null
        ? []
        : [.. _remotes.Find(_remote).OfType<RelayTransportAddress>().Select(relay => _relays.AddressOf(relay.Url, _remote))];
}
