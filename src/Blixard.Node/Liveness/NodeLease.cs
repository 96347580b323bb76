using System.Threading.Channels;
using Blixard.Cluster.Liveness;
using Blixard.Cluster.Store;
using Blixard.MicroVm.Guarding;
using Blixard.MicroVm.Model;
using Blixard.Node.Membership;
using Blixard.V1;
using Google.Protobuf.WellKnownTypes;
using Iroh.Base;
using Microsoft.Extensions.Logging;

namespace Blixard.Node.Liveness;

/// <summary>
/// This node's lease: tells the cluster that the node lives, and says until when VMs that may move may run here. It keeps the guard's deadline
/// as long as there are such VMs. Thread-safe.
/// </summary>
internal sealed partial class NodeLease : IAsyncDisposable
{
    // A renewal that failed is tried again soon: the time until VMs must be stopped is short.
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(200);

    // A server that does not answer is given up after 1.5 s for another one, which needs time to answer too.
    private static readonly TimeSpan AttemptMin = TimeSpan.FromSeconds(2);

    // A process that was killed is gone within milliseconds, unless its disk does not answer.
    private static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(5);

    // How long the end of the node waits for a last renewal, which gives the next start the whole time.
    private static readonly TimeSpan LastAttempt = TimeSpan.FromSeconds(1);

    private readonly NodeSelf _self;
    private readonly NodeCluster _cluster;
    private readonly VmGuard _guard;
    private readonly LeaseTimes _times;
    private readonly TimeProvider _time;
    private readonly ILogger<NodeLease> _logger;
    private readonly Timestamp _startedAt;
    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _guarding = new(1, 1);
    private readonly Channel<bool> _gateChanges = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly CancellationTokenSource _stopping = new();
    private readonly FencingClock _clock;
    private Func<bool> _hasMovable = () => false;
    private long _lease;
    private bool _needsGuard;
    private TimeSpan _guardedUntil;
    private string _guardProblem = "";
    private string? _hold;
    private string _told = "";
    private Task _loops = Task.CompletedTask;

    public NodeLease(
        NodeSelf self, NodeCluster cluster, VmGuard guard, LeaseTimes times, TimeProvider time, ILogger<NodeLease> logger)
    {
        (_self, _cluster, _guard, _times, _time, _logger) = (self, cluster, guard, times, time, logger);
        _startedAt = Timestamp.FromDateTimeOffset(time.GetUtcNow());
        _clock = new FencingClock(guard.Deadline is { } left ? new FencingTerm(left.At, left.Generation) : null, times);
        _guardedUntil = _clock.Term.Deadline;
        // VMs that the former process left under the guard run on until its deadline.
        _needsGuard = guard.GetWatched().Count > 0;
        _hold = HoldAt(BootClock.Now);
    }

    /// <summary>Raised, on any thread, when <see cref="Hold"/> has become null or ceased to be.</summary>
    public event Action? Changed;

    /// <summary>Why VMs that may move must not run now, for people; null: they may.</summary>
    public string? Hold => Volatile.Read(ref _hold);

    /// <summary>How long VMs that may move may still run if nothing is renewed.</summary>
    public TimeSpan TimeLeft
    {
        get
        {
            TimeSpan left;
            lock (_lock)
                left = _clock.Term.Deadline - BootClock.Now;
            return left > TimeSpan.Zero ? left : TimeSpan.Zero;
        }
    }

    /// <summary>Begins to renew the lease; the node's id is known and it is a member.</summary>
    /// <param name="id">The node's id.</param>
    /// <param name="hasMovable">Whether this node owns VMs that may move.</param>
    public void Start(EndpointId id, Func<bool> hasMovable)
    {
        _hasMovable = hasMovable;
        _loops = Task.WhenAll(Task.Run(() => UntilStoppedAsync(() => RenewAsync(id))), Task.Run(() => UntilStoppedAsync(WatchGateAsync)));
    }

    /// <summary>Allows the start of a VM that may move, with the guard at work; null if it cannot be allowed now.</summary>
    /// <returns>The guard's generation under which the start happens. The caller then asks the store whether the VM is still this node's.</returns>
    public async Task<long?> TryPermitAsync(CancellationToken cancellationToken)
    {
        await _guarding.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            FencingTerm term;
            lock (_lock)
            {
                if (!_clock.MayRun(BootClock.Now))
                    return null;
                term = _clock.Term;
            }

            _needsGuard = true;
            return await TryGuardAsync(term, cancellationToken).ConfigureAwait(false) ? term.Generation : null;
        }
        finally
        {
            _guarding.Release();
        }
    }

    /// <summary>Ends the lease at once, as the node leaves the cluster; its VMs are gone. It is not renewed any more.</summary>
    public async Task RevokeAsync(CancellationToken cancellationToken)
    {
        await StopAsync().ConfigureAwait(false);
        if (Interlocked.Exchange(ref _lease, 0) is not 0 and var lease)
            await _cluster.Store.RevokeLeaseAsync(lease, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Renews the lease a last time and lets it be: VMs that may move run until the guard's deadline, or on under the next process.</summary>
    public async ValueTask DisposeAsync()
    {
        bool ran = await StopAsync().ConfigureAwait(false);
        if (ran && _lease != 0)
        {
            using var limit = new CancellationTokenSource(LastAttempt);
            await TryOnceAsync(_self.Id!.Value, limit.Token).ConfigureAwait(false);
        }

        _stopping.Dispose();
        _guarding.Dispose();
    }

    private async Task<bool> StopAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        bool ran = _loops != Task.CompletedTask;
        await _loops.ConfigureAwait(false);
        return ran;
    }

    private async Task UntilStoppedAsync(Func<Task> loop)
    {
        try
        {
            await loop().ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // Disposed.
        }
    }

    private async Task RenewAsync(EndpointId id)
    {
        while (true)
        {
            TimeSpan began = BootClock.Now;
            using var attempt = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
            attempt.CancelAfter(_times.RenewalInterval > AttemptMin ? _times.RenewalInterval : AttemptMin);
            bool renewed = await TryOnceAsync(id, attempt.Token).ConfigureAwait(false);
            _stopping.Token.ThrowIfCancellationRequested();
            _gateChanges.Writer.TryWrite(true);
            TimeSpan wait = renewed ? began + _times.RenewalInterval - BootClock.Now : RetryDelay;
            if (wait > TimeSpan.Zero)
                await Task.Delay(wait, _time, _stopping.Token).ConfigureAwait(false);
        }
    }

    private async Task<bool> TryOnceAsync(EndpointId id, CancellationToken cancellationToken)
    {
        string trouble;
        try
        {
            if (_lease == 0 ? await TryBeginAsync(id, cancellationToken).ConfigureAwait(false) : await TryKeepAsync(cancellationToken).ConfigureAwait(false))
            {
                _told = "";
                return true;
            }

            return false;
        }
        catch (Exception e) when (e is StoreUnavailableException or StoreLeaseNotFoundException or ObjectDisposedException or IOException or UnauthorizedAccessException)
        {
            trouble = e.Message;
        }
        catch (OperationCanceledException)
        {
            trouble = "the cluster store did not answer in time";
        }

        // Once: while the store is away its reason changes with every attempt.
        if (_told.Length == 0 && !_stopping.IsCancellationRequested)
        {
            _told = trouble;
            LogNotRenewed(trouble);
        }

        return false;
    }

    private async Task<bool> TryBeginAsync(EndpointId id, CancellationToken cancellationToken)
    {
        TimeSpan sentAt = BootClock.Now;
        StoreLease granted = await _cluster.Store.GrantLeaseAsync(_times.TimeToLive, cancellationToken).ConfigureAwait(false);
        var alive = new NodeAlive { Name = _self.Name, StartedAt = _startedAt, TimeToLive = Duration.FromTimeSpan(_times.TimeToLive) };
        if (!await _cluster.Liveness.TryPutAliveAsync(id, alive, granted.Id, cancellationToken).ConfigureAwait(false))
            return false;
        _lease = granted.Id;
        await _guarding.WaitAsync(CancellationToken.None).ConfigureAwait(false);
        try
        {
            FencingTerm? interrupted = null;
            lock (_lock)
            {
                if (!_clock.TryContinue(granted.Id, sentAt, _times, BootClock.Now))
                    interrupted = _clock.Interrupt();
            }

            if (interrupted is { } term)
            {
                // What is still there may be another node's by now. The guard is told first, so that nothing starts behind us.
                _guard.Set(new GuardDeadline(term.Deadline, term.Generation));
                using var limit = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
                limit.CancelAfter(EndLimit);
                await _guard.EndAllAsync(limit.Token).ConfigureAwait(false);
                lock (_lock)
                    _clock.Open(granted.Id, sentAt, _times);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or OperationCanceledException)
        {
            // The next lease tries again; until then nothing that may move runs.
            _lease = 0;
            LogNoGuard(e.Message);
            return false;
        }
        finally
        {
            _guarding.Release();
        }

        await KeepGuardAsync().ConfigureAwait(false);
        return true;
    }

    private async Task<bool> TryKeepAsync(CancellationToken cancellationToken)
    {
        TimeSpan sentAt = BootClock.Now;
        TimeSpan? left = await _cluster.Store.KeepLeaseAsync(_lease, cancellationToken).ConfigureAwait(false);
        lock (_lock)
        {
            if (left is { } timeToLive)
                _clock.Renew(_lease, sentAt, timeToLive < _times.TimeToLive ? new LeaseTimes(timeToLive) : _times);
            else
                _clock.Lose();
        }

        if (left is null)
        {
            LogGone();
            _lease = 0;
        }

        await KeepGuardAsync().ConfigureAwait(false);
        return left is not null;
    }

    /// <summary>Gives the guard the deadline that holds now, if there is anything to guard.</summary>
    private async Task KeepGuardAsync()
    {
        await _guarding.WaitAsync(CancellationToken.None).ConfigureAwait(false);
        try
        {
            if (_needsGuard && !_hasMovable() && _guard.GetWatched().Count == 0)
                _needsGuard = false;
            FencingTerm term;
            lock (_lock)
                term = _clock.Term;
            if (_needsGuard)
                await TryGuardAsync(term, CancellationToken.None).ConfigureAwait(false);
        }
        finally
        {
            _guarding.Release();
        }
    }

    private async Task<bool> TryGuardAsync(FencingTerm term, CancellationToken cancellationToken)
    {
        try
        {
            _guard.Set(new GuardDeadline(term.Deadline, term.Generation));
            await _guard.EnsureRunningAsync(cancellationToken).ConfigureAwait(false);
            lock (_lock)
                (_guardedUntil, _guardProblem) = (term.Deadline, "");
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or VmException)
        {
            lock (_lock)
                _guardProblem = e is VmException ? e.Message : $"the guard's deadline cannot be written: {e.Message}";
            LogNoGuard(e.Message);
            return false;
        }
    }

    private string? HoldAt(TimeSpan now)
    {
        lock (_lock)
        {
            if (!_clock.MayRun(now))
                return _clock.Explain(now);
            return _guardProblem.Length > 0 && now >= _guardedUntil - _times.Lead ? _guardProblem : null;
        }
    }

    private async Task WatchGateAsync()
    {
        while (true)
        {
            TimeSpan now = BootClock.Now;
            string? hold = HoldAt(now);
            if (hold is null != (Hold is null))
            {
                Volatile.Write(ref _hold, hold);
                Changed?.Invoke();
            }

            using var waiting = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
            Task<bool> renewed = _gateChanges.Reader.WaitToReadAsync(waiting.Token).AsTask();
            if (hold is null)
                await Task.WhenAny(renewed, Task.Delay(UntilStop(now), _time, waiting.Token)).ConfigureAwait(false);
            else
                await renewed.ConfigureAwait(false);
            _gateChanges.Reader.TryRead(out _);
            await waiting.CancelAsync().ConfigureAwait(false);
            _stopping.Token.ThrowIfCancellationRequested();
        }
    }

    private TimeSpan UntilStop(TimeSpan now)
    {
        lock (_lock)
        {
            TimeSpan stopAt = _guardProblem.Length > 0 && _guardedUntil - _times.Lead < _clock.StopAt ? _guardedUntil - _times.Lead : _clock.StopAt;
            // The clock is read in hundredths of a second.
            return (stopAt > now ? stopAt - now : TimeSpan.Zero) + TimeSpan.FromMilliseconds(10);
        }
    }

    [LoggerMessage(EventId = 6301, EventName = "LeaseNotRenewed", Level = LogLevel.Warning, Message = "This node's lease could not be renewed: {Reason}")]
    private partial void LogNotRenewed(string reason);

    [LoggerMessage(EventId = 6302, EventName = "LeaseGone", Level = LogLevel.Warning, Message = "The cluster has ended this node's lease; a new one is asked for")]
    private partial void LogGone();

    [LoggerMessage(EventId = 6303, EventName = "NoGuard", Level = LogLevel.Error, Message = "VMs that may move cannot be guarded: {Reason}")]
    private partial void LogNoGuard(string reason);
}
