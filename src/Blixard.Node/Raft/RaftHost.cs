using Blixard.Cluster.Membership;
using Blixard.Etcd.Client;
using Blixard.Etcd.Membership;
using Blixard.Etcd.Metrics;
using Blixard.Etcd.Process;
using Blixard.Etcd.Store;
using Blixard.Node.Events;
using Blixard.Node.Metrics;
using Blixard.Node.Peers;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Diagnostics;
using Blixard.Rpc.Services;
using Blixard.Rpc.Tunnels;
using Blixard.V1;
using Iroh.Base;
using Microsoft.Extensions.Logging;

namespace Blixard.Node.Raft;

/// <summary>What a <see cref="RaftHost"/> works with. All of it stays the caller's.</summary>
internal sealed record RaftHostOptions
{
    /// <summary>etcd's directory, an absolute path.</summary>
    public required string Directory { get; init; }

    /// <summary>The etcd program: a path, or a name that is looked up in PATH.</summary>
    public required string Program { get; init; }

    /// <summary>This node.</summary>
    public required EndpointId Self { get; init; }

    /// <summary>The cluster's id, which is also its Raft group's.</summary>
    public required string ClusterId { get; init; }

    /// <summary>Calls the other servers.</summary>
    public required PeerTable Peers { get; init; }

    /// <summary>Told of leaders and of what happens to etcd.</summary>
    public required NodeEventHub Events { get; init; }

    /// <summary>Where tunnels are counted.</summary>
    public required RpcMetrics Metrics { get; init; }

    /// <summary>Where this server's part in Raft is told as numbers.</summary>
    public required RaftMetrics RaftMetrics { get; init; }

    /// <summary>Whether etcd's numbers are read again and again, for somebody who does not ask for them; else only when asked.</summary>
    public bool FollowsNumbers { get; init; }

    public required TimeProvider Time { get; init; }

    public required ILoggerFactory Loggers { get; init; }
}

/// <summary>This server's part in Raft: its etcd, the sockets and tunnels by which that reaches the others', the store that it keeps, and what
/// a leader has to do. Thread-safe.</summary>
internal sealed class RaftHost : IAsyncDisposable
{
    // Collectors take a value a minute; etcd's page has 150 KB.
    private static readonly TimeSpan s_countInterval = TimeSpan.FromSeconds(15);

    private readonly RaftHostOptions _options;
    private readonly EtcdServer _server;
    private readonly EtcdClient _client;
    private readonly RaftSockets _sockets;
    private readonly RaftObserver _observer;
    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource<string> _removed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _following;
    private readonly Task _compacting;
    private readonly Task _counting;
    private RaftDuties? _duties;
    private IReadOnlyDictionary<EndpointId, string> _names = new Dictionary<EndpointId, string>();

    private RaftHost(RaftHostOptions options, EtcdServer server)
    {
        (_options, _server) = (options, server);
        _client = new EtcdClient(server.ClientSocketPath, options.Time);
        _sockets = new RaftSockets(options.Directory, options.Peers, options.Metrics, options.Time, options.Loggers);
        Store = new EtcdStore(_client, options.Time);
        Members = new EtcdMembership(_client, options.ClusterId, NameOf, options.Time);
        _observer = new RaftObserver(server, _client, options.Self, OnView, options.Time);
        _following = Task.Run(FollowAsync);
        _counting = options.FollowsNumbers ? Task.Run(CountAsync) : Task.CompletedTask;
        _compacting = Task.Run(() => new EtcdCompactor(_client, options.Time).RunAsync(_stopping.Token));
    }

    /// <summary>The cluster store as this server's own etcd has it.</summary>
    public EtcdStore Store { get; }

    /// <summary>Who takes part in Raft, and how that changes.</summary>
    public EtcdMembership Members { get; }

    /// <summary>What etcd said last.</summary>
    public RaftView View => _observer.Current;

    /// <summary>Completes with the reason when the cluster has removed this server for good.</summary>
    public Task<string> Removed => _removed.Task;

    /// <summary>Lets etcd start, with the sockets by which it looks for the others; when it serves depends on them.</summary>
    /// <param name="options">What it works with.</param>
    /// <param name="start">As what etcd starts.</param>
    /// <param name="members">The members of the cluster that are known so far.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <exception cref="NodeStartException">There is no usable etcd, or its directory or data cannot be used.</exception>
    public static async Task<RaftHost> StartAsync(
        RaftHostOptions options, EtcdStart start, IReadOnlyDictionary<EndpointId, Member> members, CancellationToken cancellationToken)
    {
        try
        {
            EtcdServer server = await EtcdServer.PrepareAsync(
                new EtcdServerOptions { Directory = options.Directory, Self = options.Self, Program = options.Program },
                start, options.Loggers, options.Time, cancellationToken).ConfigureAwait(false);
            try
            {
                var host = new RaftHost(options, server);
                host.SetMembers(members);
                server.Start();
                return host;
            }
            catch (Exception)
            {
                await server.DisposeAsync().ConfigureAwait(false);
                throw;
            }
        }
        catch (EtcdServerException e)
        {
            throw new NodeStartException(NodeStartFailure.Failed, e.Message, e);
        }
    }

    /// <summary>Whether etcd's directory holds data to go on with.</summary>
    public static bool HasData(string directory) => EtcdServer.HasData(directory);

    /// <summary>Makes sure that there is an etcd that can be used.</summary>
    /// <exception cref="NodeStartException">There is none.</exception>
    public static async Task RequireProgramAsync(string program, TimeProvider time, CancellationToken cancellationToken)
    {
        try
        {
            await EtcdProgram.FindAsync(program, time, cancellationToken).ConfigureAwait(false);
        }
        catch (EtcdServerException e)
        {
            throw new NodeStartException(NodeStartFailure.Failed, e.Message, e);
        }
    }

    /// <summary>Waits until etcd serves.</summary>
    /// <exception cref="NodeStartException">It did not within the limit, or was removed.</exception>
    public async Task WaitUntilServingAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(limit);
        try
        {
            await _server.WaitUntilServingAsync(patience.Token).ConfigureAwait(false);
        }
        catch (EtcdServerException e)
        {
            throw new NodeStartException(NodeStartFailure.Failed, e.Message, e);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            string why = _server.Status.Reason is { Length: > 0 } reason ? $": {reason}" : "";
            throw new NodeStartException(NodeStartFailure.Failed, $"etcd did not begin to serve within {limit.TotalSeconds:0} s{why}");
        }
    }

    /// <summary>Begins with what falls to the leader.</summary>
    /// <param name="records">The records of members.</param>
    public void StartDuties(Members records) =>
        _duties = new RaftDuties(Members, records, _options.Self, () => View, _options.Time, _options.Loggers.CreateLogger<RaftDuties>());

    /// <summary>Listens for the servers among these members, and only for them.</summary>
    public void SetMembers(IReadOnlyDictionary<EndpointId, Member> members)
    {
        var servers = members.Where(pair => pair.Value.Node.Role == NodeRole.Server && pair.Key != _options.Self)
            .ToDictionary(pair => pair.Key, pair => pair.Value.Node.Name);
        Volatile.Write(ref _names, members.ToDictionary(pair => pair.Key, pair => pair.Value.Node.Name));
        _sockets.Set(servers);
        Volatile.Read(ref _duties)?.Look();
    }

    /// <summary>The tunnels to another server; null if it is none.</summary>
    public PeerTunnelsStatus? TunnelsTo(EndpointId id) => _sockets.StatusOf(id);

    /// <summary>What other servers need of this one: tunnels to its etcd, and reports.</summary>
    public IEnumerable<RpcService> Services(MemberDirectory directory) =>
    [
        new TunnelService(new RaftGate(directory, () => _stopping.IsCancellationRequested ? null : _server.PeerSocketPath).ConnectAsync, _options.Metrics).Bind(),
        new RpcService(RaftReflection.Descriptor, "Raft").Unary(RaftMethods.Report, (_, _) => Task.FromResult(View.Report)),
    ];

    /// <summary>Of etcd's own numbers those that an operator needs, in the text format of Prometheus; "" while it does not answer.</summary>
    public async Task<string> ReadNumbersAsync(CancellationToken cancellationToken)
    {
        EtcdPage page = EtcdPage.Empty;
        try
        {
            page = EtcdPage.Parse(await _client.MetricsAsync(cancellationToken).ConfigureAwait(false));
        }
        catch (EtcdException)
        {
            // Then there are none.
        }

        _options.RaftMetrics.Update(page);
        return page.Text;
    }

    /// <summary>Stops etcd in order, while the tunnels still stand, so that a leader hands its office over.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        if (_duties is not null)
            await _duties.DisposeAsync().ConfigureAwait(false);
        await _observer.DisposeAsync().ConfigureAwait(false);
        await _server.DisposeAsync().ConfigureAwait(false);
        await _following.ConfigureAwait(false);
        await _compacting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _counting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _sockets.DisposeAsync().ConfigureAwait(false);
        await Store.DisposeAsync().ConfigureAwait(false);
        _client.Dispose();
        _stopping.Dispose();
    }

    private async Task FollowAsync()
    {
        await foreach (EtcdServerStatus status in _server.WatchAsync().ConfigureAwait(false))
        {
            _options.Events.Publish(new EtcdEvent(NameOf(status.State), status.Reason));
            if (status.State == EtcdServerState.Removed)
                _removed.TrySetResult(status.Reason);
        }
    }

    private async Task CountAsync()
    {
        using var timer = new PeriodicTimer(s_countInterval, _options.Time);
        while (await timer.WaitForNextTickAsync(_stopping.Token).ConfigureAwait(false))
            await ReadNumbersAsync(_stopping.Token).ConfigureAwait(false);
    }

    private string NameOf(EndpointId id) => Volatile.Read(ref _names).GetValueOrDefault(id) ?? id.ToShortString();

    private static string NameOf(EtcdServerState state) => state == EtcdServerState.BackingOff ? "backing-off" : state.ToString().ToLowerInvariant();

    private void OnView(RaftView before, RaftView now)
    {
        _options.RaftMetrics.Update(new RaftNumbers(
            now.Report.Term, now.Report.AppliedIndex, now.Leader is not null, now.IsLeader, now.Report.DbSize));
        // A member that does not answer for a moment says nothing about the leader.
        if (now.Report.Role == RaftRole.Unstarted || (now.Leader == before.Leader && now.Report.Term == before.Report.Term))
            return;
        string name = now.Leader is { } leader ? NameOf(leader) : "";
        if (now.Leader is not null)
            _options.RaftMetrics.LeaderChanged();
        _options.Events.Publish(new LeaderChangedEvent(name, now.Leader?.ToString(), now.Report.Term));
        if (now.IsLeader && !before.IsLeader)
            Volatile.Read(ref _duties)?.Look();
    }
}
