using Blixard.Cluster.Membership;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Frames;
using Blixard.Rpc.Peers;
using Blixard.Rpc.Services;
using Blixard.V1;
using Iroh;
using Iroh.Base;
using Iroh.Protocols;
using Iroh.Quic;
using Microsoft.Extensions.Logging;
using EndpointAddress = Iroh.Base.EndpointAddress;

namespace Blixard.Cluster.Links;

/// <summary>
/// Keeps one link to every other member: dials it when it appears, again when the link breaks, and closes it when it leaves; a
/// <see cref="LinkMachine"/> for each member decides. A link is one QUIC connection on which both ends make calls; its first
/// stream carries a hello and then pings of both ends. A connection that does not begin with a hello is a guest's: its calls are
/// served, and the authorizer decides what a non-member may call. Thread-safe.
/// </summary>
public sealed partial class IrohPeerConnector : IProtocolHandler, IAsyncDisposable
{
    /// <summary>How long the hellos may take.</summary>
    public static readonly TimeSpan HelloTimeout = TimeSpan.FromSeconds(5);

    /// <summary>How long an accepted connection waits for its peer to become a member: the watch that tells of a new member may be
    /// later than its first dial. Shorter than <see cref="HelloTimeout"/>, so that a refused peer hears why.</summary>
    public static readonly TimeSpan MembershipWait = TimeSpan.FromSeconds(2);

    // A member that leaves asks for it over the link, which therefore stays open for the answer; its further calls are refused. Calls that are under
    // way on a connection beside which another one is kept get their answers, too.
    private static readonly TimeSpan s_farewell = TimeSpan.FromSeconds(1);

    private readonly PeerConnectorOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger<IrohPeerConnector> _logger;
    private readonly GuestServer _guests;
    private readonly EndpointId _self;
    private readonly LinkHello _hello;
    private readonly long _started;
    private readonly Lock _lock = new();
    private readonly Dictionary<EndpointId, PeerLink> _links = [];
    private readonly HashSet<Task> _tasks = [];
    private readonly CancellationTokenSource _stopping = new();
    private readonly ITimer _timer;
    private readonly IDisposable _subscription;
    private readonly Lazy<Task> _disposal;
    private TaskCompletionSource _membersChanged = NewSignal();
    private long _nextNumber = 1;
    private string? _keyConflict;
    private bool _isStopped;

    /// <summary>Starts to link to everybody whom the directory knows and will know.</summary>
    public IrohPeerConnector(PeerConnectorOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        _time = options.Time;
        _logger = options.Logger;
        _guests = new GuestServer(options.Runner, _time);
        _self = options.Endpoint.Id;
        _hello = new LinkHello(options.Random.NextUInt64(), options.Name);
        _started = _time.GetTimestamp();
        _timer = _time.CreateTimer(_ => HandleTimeouts(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _disposal = new Lazy<Task>(StopAsync);
        _subscription = options.Members.Subscribe(OnMembers);
    }

    /// <summary>The links to all other members, by name.</summary>
    public IReadOnlyList<LinkStatus> Links
    {
        get
        {
            lock (_lock)
                return [.. _links.Values.Select(StatusOf).OrderBy(status => status.Name, StringComparer.Ordinal)];
        }
    }

    /// <summary>That another running node has this node's key, as a peer said; null if nobody did, or a link has stood since.</summary>
    public string? KeyConflict => Volatile.Read(ref _keyConflict);

    /// <summary>How many connections of links stand now, those being closed among them.</summary>
    internal int OpenConnections
    {
        get
        {
            lock (_lock)
                return _links.Values.Sum(link => link.Sessions.Count);
        }
    }

    /// <summary>How many dials are under way, connections dialled here stand, and closings last.</summary>
    internal int RunningTasks
    {
        get
        {
            lock (_lock)
                return _tasks.Count;
        }
    }

    private TimeSpan Now => _time.GetElapsedTime(_started);

    /// <summary>The link to one member; null if there is no such other member.</summary>
    public LinkStatus? TryGetLink(EndpointId peer)
    {
        lock (_lock)
            return _links.TryGetValue(peer, out PeerLink? link) ? StatusOf(link) : null;
    }

    /// <inheritdoc/>
    public async Task AcceptAsync(IrohConnection connection, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(connection);
        if (connection.RemoteId == _self)
        {
            await connection.CloseAsync(LinkCloseCode.DuplicateKey, "this node has the same key as you").ConfigureAwait(false);
            return;
        }

        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stopping.Token);
        try
        {
            if (await AcceptFirstAsync(connection, stopping.Token).ConfigureAwait(false) is not var (stream, first))
                return;
            if (first == LinkHello.Marker)
                await AcceptLinkAsync(connection, stream, stopping.Token).ConfigureAwait(false);
            else
                await _guests.ServeAsync(connection, stream, first, stopping.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            await connection.CloseAsync(LinkCloseCode.Stopping, "the node stops").ConfigureAwait(false);
        }
        catch (QuicException exception)
        {
            // The connection, or a stream on which a hello was due, ended.
            LogConnectionEnded(connection.RemoteId, exception.Message);
        }
    }

    /// <summary>Closes every link with <see cref="LinkCloseCode.Stopping"/> and waits for those that were dialled here; the router
    /// waits for the others.</summary>
    public ValueTask DisposeAsync() => new(_disposal.Value);

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static LinkStatus StatusOf(PeerLink link)
    {
        IrohPath? path = link.Machine.Connection is { } number && link.Sessions.TryGetValue(number, out LinkSession? session)
            ? session.Connection.Path
            : null;
        return new LinkStatus(
            link.Id, link.Member.Node.Name, link.Machine.State, link.Machine.Reason,
            path is null ? P2pPathKind.Unspecified : KindOf(path), path?.RemoteText ?? "", link.Machine.RoundTripTime,
            link.Since, link.Dials, link.FailedDials);
    }

    private static P2pPathKind KindOf(IrohPath path) => path.Kind == IrohPathKind.Relay ? P2pPathKind.Relay : P2pPathKind.Direct;

    private async Task WatchPathAsync(PeerLink link, IrohConnection connection, CancellationToken ending)
    {
        long start = _time.GetTimestamp();
        IrohPath? last = null;
        try
        {
            await foreach (IReadOnlyList<IrohPath> paths in connection.WatchPathsAsync(ending).ConfigureAwait(false))
            {
                if (paths.FirstOrDefault(path => path.IsSelected) is not { } now || (now.Kind == last?.Kind && now.Remote.Equals(last.Remote)))
                    continue;
                TimeSpan after = last is null ? TimeSpan.Zero : _time.GetElapsedTime(start);
                last = now;
                _options.OnPath?.Invoke(new LinkPath(link.Id, link.Member.Node.Name, KindOf(now), now.RemoteText, after));
            }
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested)
        {
            // The link ended.
        }
    }

    private void OnMembers(MembersUpdate update)
    {
        lock (_lock)
        {
            if (_isStopped)
                return;
            foreach (MemberChange change in update.Changes.Where(change => change.Id != _self))
            {
                if (change.Kind == MemberChangeKind.Removed)
                    Remove(change.Id);
                else
                    AddOrChange(change.Id, change.Member);
            }

            TaskCompletionSource changed = _membersChanged;
            _membersChanged = NewSignal();
            changed.SetResult();
            ArmTimer();
        }
    }

    private void AddOrChange(EndpointId id, Member member)
    {
        bool isNew = !_links.TryGetValue(id, out PeerLink? link);
        if (link is null)
        {
            link = new PeerLink(id, new LinkMachine(_self, id, _options.Random, _options.Timing)) { Since = _time.GetUtcNow() };
            _links.Add(id, link);
        }

        link.Member = member;
        EndpointAddress? address = member.P2PNodeAddr is { } message && MemberAddress.TryRead(message, out EndpointAddress? read, out _) ? read : null;
        if (!isNew && Equals(address, link.Address))
            return;
        link.Address = address;
        Do(link, link.Machine.OnMember(Now));
    }

    private void Remove(EndpointId id)
    {
        if (!_links.Remove(id, out PeerLink? link))
            return;
        Do(link, link.Machine.OnNotMember());
        link.IsGone = true;
    }

    private void HandleTimeouts()
    {
        lock (_lock)
        {
            if (_isStopped)
                return;
            foreach (PeerLink link in _links.Values.Where(link => link.Machine.NextTimeout <= Now).ToList())
                Do(link, link.Machine.HandleTimeout(Now));
            ArmTimer();
        }
    }

    private void ArmTimer()
    {
        TimeSpan next = _links.Values.Select(link => link.Machine.NextTimeout).DefaultIfEmpty(TimeSpan.MaxValue).Min();
        TimeSpan wait = next == TimeSpan.MaxValue ? Timeout.InfiniteTimeSpan : next - Now;
        // Timers count whole milliseconds; rounding up keeps them from coming too early again and again.
        _timer.Change(
            next == TimeSpan.MaxValue ? wait : TimeSpan.FromMilliseconds(Math.Max(1, Math.Ceiling(wait.TotalMilliseconds))), Timeout.InfiniteTimeSpan);
    }

    /// <summary>Does what a machine decided, then tells the channel and the log what became of the link. Under the lock.</summary>
    private void Do(PeerLink link, IReadOnlyList<LinkAction> actions)
    {
        PeerChannel? channel = _options.ChannelOf(link.Id);
        foreach (LinkAction action in actions)
        {
            switch (action)
            {
                case LinkAction.Dial:
                    link.Dials++;
                    Track(DialAsync(link, link.Machine.DialLimit));
                    break;
                case LinkAction.Use use:
                    channel?.OnLinkReady(
                        new P2pCaller(link.Sessions[use.Connection].Connection.OpenRpcStreamAsync, _time, _options.Metrics),
                        () => Suspect(link, use.Connection));
                    break;
                case LinkAction.Probe probe when link.Sessions.TryGetValue(probe.Connection, out LinkSession? probed):
                    probed.Control.Probe();
                    break;
                case LinkAction.Close close when link.Sessions.TryGetValue(close.Connection, out LinkSession? closed):
                    Track(CloseAsync(closed.Connection, close));
                    break;
            }
        }

        LinkState state = link.Machine.State;
        if (state == link.ShownState)
            return;
        if (link.ShownState == LinkState.Ready)
            channel?.OnLinkLost(link.Machine.Reason);
        (link.ShownState, link.Since) = (state, _time.GetUtcNow());
        LogLink(link.Member.Node.Name, state, link.Machine.Reason);
    }

    private async Task CloseAsync(IrohConnection connection, LinkAction.Close close)
    {
        if (close.Code is LinkCloseCode.NotMember or LinkCloseCode.Superseded)
            await Task.Delay(s_farewell, _time, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await connection.CloseAsync(close.Code, close.Reason).ConfigureAwait(false);
    }

    private async Task DialAsync(PeerLink link, TimeSpan limit)
    {
        await Task.Yield();
        string problem;
        try
        {
            await using IrohConnection connection = await ConnectAsync(link, limit).ConfigureAwait(false);
            QuicStream stream = await connection.OpenBidirectionalStreamAsync(_stopping.Token).ConfigureAwait(false);
            LinkHello hello;
            using (CancellationTokenSource patience = Within(HelloTimeout, _stopping.Token))
            {
                await stream.WriteAsync(_hello.Encode(), patience.Token).ConfigureAwait(false);
                await stream.FlushAsync(patience.Token).ConfigureAwait(false);
                hello = await LinkHello.ReadAsync(stream, isMarkerRead: false, patience.Token).ConfigureAwait(false);
            }

            await RunLinkAsync(link, connection, stream, hello, isDialledHere: true, _stopping.Token).ConfigureAwait(false);
            return;
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            return;
        }
        catch (OperationCanceledException)
        {
            problem = "no answer in time";
        }
        catch (QuicConnectionException exception)
        {
            problem = Explain(link, exception.CloseReason);
        }
        catch (Exception exception)
        {
            problem = exception.Message;
        }

        lock (_lock)
        {
            if (_isStopped || link.IsGone)
                return;
            link.FailedDials++;
            Do(link, link.Machine.OnDialFailed(problem, Now));
            ArmTimer();
        }
    }

    private async Task<IrohConnection> ConnectAsync(PeerLink link, TimeSpan limit)
    {
        EndpointAddress? address;
        lock (_lock)
            address = link.Address;
        if (address is null)
            throw new IOException("its record has no P2P address");
        using CancellationTokenSource patience = Within(limit, _stopping.Token);
        return await _options.Endpoint.ConnectAsync(address, IrohServiceRunner.Alpn, patience.Token).ConfigureAwait(false);
    }

    private static async Task<(QuicStream Stream, byte First)?> AcceptFirstAsync(IrohConnection connection, CancellationToken stopping)
    {
        using CancellationTokenSource patience = Within(HelloTimeout, stopping);
        try
        {
            QuicStream stream = await connection.AcceptBidirectionalStreamAsync(patience.Token).ConfigureAwait(false);
            byte[] first = new byte[1];
            if (await stream.ReadAsync(first, patience.Token).ConfigureAwait(false) == 1)
                return (stream, first[0]);
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
            // Silence: as bad as an empty stream.
        }

        await connection.CloseAsync(LinkCloseCode.BadHello, "neither a hello nor a call came").ConfigureAwait(false);
        return null;
    }

    private async Task AcceptLinkAsync(IrohConnection connection, QuicStream stream, CancellationToken stopping)
    {
        using CancellationTokenSource patience = Within(HelloTimeout, stopping);
        PeerLink? link;
        LinkHello hello;
        try
        {
            hello = await LinkHello.ReadAsync(stream, isMarkerRead: true, patience.Token).ConfigureAwait(false);
            using CancellationTokenSource waiting = Within(MembershipWait, stopping);
            link = await FindLinkAsync(connection.RemoteId, waiting.Token).ConfigureAwait(false);
        }
        catch (InvalidDataException exception)
        {
            await connection.CloseAsync(LinkCloseCode.BadHello, exception.Message).ConfigureAwait(false);
            return;
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
            LogRefused(connection.RemoteId.ToShortString(), "not a member");
            await connection.CloseAsync(LinkCloseCode.NotMember, "you are not a member of this cluster").ConfigureAwait(false);
            return;
        }

        await stream.WriteAsync(_hello.Encode(), stopping).ConfigureAwait(false);
        await stream.FlushAsync(stopping).ConfigureAwait(false);
        await RunLinkAsync(link, connection, stream, hello, isDialledHere: false, stopping).ConfigureAwait(false);
    }

    private async Task<PeerLink> FindLinkAsync(EndpointId id, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task changed;
            lock (_lock)
            {
                if (_links.TryGetValue(id, out PeerLink? link))
                    return link;
                changed = _membersChanged.Task;
            }

            await changed.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Serves one connection of a link from its hellos to its end.</summary>
    private async Task RunLinkAsync(
        PeerLink link, IrohConnection connection, QuicStream stream, LinkHello hello, bool isDialledHere, CancellationToken stopping)
    {
        long number = Interlocked.Increment(ref _nextNumber);
        using var control = new ControlStream(stream, _time, _options.Timing.PingInterval, roundTrip => OnPong(link, number, roundTrip));
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var peer = new RpcPeer(connection.RemoteId.Span.ToArray(), RpcTransport.P2p, connection.Path.RemoteText);
        lock (_lock)
        {
            if (link.IsGone || _isStopped)
            {
                _ = connection.CloseAsync(
                    link.IsGone ? LinkCloseCode.NotMember : LinkCloseCode.Stopping,
                    link.IsGone ? "you are no longer a member of this cluster" : "the node stops").AsTask();
                return;
            }

            link.Sessions.Add(number, new LinkSession(number, connection, control));
            Do(link, link.Machine.OnConnected(new LinkConnection(number, isDialledHere, hello.Instance), Now));
            ArmTimer();
        }

        Task watching = WatchPathAsync(link, connection, ending.Token);
        Task serving = _options.Runner.RunAsync(connection.AcceptRpcStreamsAsync(ending.Token), peer, ending.Token);
        Task pinging = PingAsync(connection, control, ending.Token);
        QuicCloseReason reason;
        try
        {
            reason = await connection.Closed.WaitAsync(stopping).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            await connection.CloseAsync(LinkCloseCode.Stopping, "the node stops").ConfigureAwait(false);
            reason = await connection.Closed.ConfigureAwait(false);
        }

        lock (_lock)
        {
            link.Sessions.Remove(number);
            if (!_isStopped && !link.IsGone)
            {
                Do(link, link.Machine.OnClosed(number, Explain(link, reason), Now));
                ArmTimer();
            }
        }

        await ending.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(serving, pinging, watching).ConfigureAwait(false);
    }

    private void OnPong(PeerLink link, long number, TimeSpan roundTrip)
    {
        lock (_lock)
        {
            if (_isStopped || link.IsGone)
                return;
            Do(link, link.Machine.OnPong(number, roundTrip, Now));
            if (link.Machine.Connection == number)
                _options.ChannelOf(link.Id)?.OnLinkAlive();
            // A link that stands has outlasted every contest: nobody else has the key any more.
            if (link.Machine.Connection == number && _time.GetUtcNow() - link.Since > _options.Timing.Settled)
                Volatile.Write(ref _keyConflict, null);
            ArmTimer();
        }
    }

    // The channel's: calls or tunnels on a connection failed.
    private void Suspect(PeerLink link, long number)
    {
        lock (_lock)
        {
            if (_isStopped || link.IsGone || link.Machine.Connection != number)
                return;
            Do(link, link.Machine.OnSuspected(Now));
            ArmTimer();
        }
    }

    private static async Task PingAsync(IrohConnection connection, ControlStream control, CancellationToken cancellationToken)
    {
        try
        {
            await control.RunAsync(cancellationToken).ConfigureAwait(false);
            await connection.CloseAsync(LinkCloseCode.BadControl, "the control stream ended").ConfigureAwait(false);
        }
        catch (InvalidDataException exception)
        {
            await connection.CloseAsync(LinkCloseCode.BadControl, exception.Message).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException)
        {
            if (!cancellationToken.IsCancellationRequested)
                await connection.CloseAsync(LinkCloseCode.BadControl, "the control stream broke").ConfigureAwait(false);
        }
    }

    /// <summary>Why a connection ended, for people; notes it if the peer says that another node has this node's key.</summary>
    private string Explain(PeerLink link, QuicCloseReason reason)
    {
        if (reason.Kind != QuicCloseKind.ApplicationClosed)
            return reason.ToString();
        switch (reason.Code)
        {
            case LinkCloseCode.Stopping:
                return "the peer stops";
            case LinkCloseCode.DuplicateKey:
                string conflict = $"another running node has the same key: {link.Member.Node.Name} is linked to it and refuses this one";
                if (Interlocked.Exchange(ref _keyConflict, conflict) is null)
                    LogKeyConflict(link.Member.Node.Name);
                return conflict;
            case LinkCloseCode.NotMember:
                return "the peer does not know this node as a member";
            default:
                return reason.ToString();
        }
    }

    private static CancellationTokenSource Within(TimeSpan limit, CancellationToken cancellationToken)
    {
        var source = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        source.CancelAfter(limit);
        return source;
    }

    private void Track(Task task)
    {
        // Under the lock; the continuation takes it again, on another thread.
        _tasks.Add(task);
        _ = task.ContinueWith(
            ended =>
            {
                lock (_lock)
                    _tasks.Remove(ended);
            },
            CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
    }

    private async Task StopAsync()
    {
        _subscription.Dispose();
        Task[] tasks;
        lock (_lock)
        {
            _isStopped = true;
            foreach (PeerLink link in _links.Values.Where(link => link.ShownState == LinkState.Ready))
                _options.ChannelOf(link.Id)?.OnLinkLost("this node stops");
            foreach (LinkSession session in _links.Values.SelectMany(link => link.Sessions.Values))
                Track(session.Connection.CloseAsync(LinkCloseCode.Stopping, "the node stops").AsTask());
            tasks = [.. _tasks];
        }

        await _timer.DisposeAsync().ConfigureAwait(false);
        await _stopping.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(tasks).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }
}
