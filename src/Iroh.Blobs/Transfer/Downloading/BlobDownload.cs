using Iroh.Blobs.Ranges;
using Iroh.Blobs.Store;
using Iroh.Blobs.Transfer.Planning;
using Iroh.Blobs.Transfer.Receiving;
using Iroh.Cryptography;

namespace Iroh.Blobs.Transfer.Downloading;

/// <summary>
/// The download of one blob from all sources that anybody names, for all who want it. Each source has a few requests under way; the
/// <see cref="DownloadPlan"/> decides for what. Thread-safe.
/// </summary>
internal sealed class BlobDownload : IAsyncDisposable
{
    /// <summary>How long one source is left alone to prove the size before the next one tries, too: small blobs should not be fetched
    /// twice, and a dead source not hold up the others.</summary>
    private static readonly TimeSpan HedgeAfter = TimeSpan.FromMilliseconds(500);

    /// <summary>How long the first word is waited for of what a source has, before it is taken to have all.</summary>
    private static readonly TimeSpan ReportPatience = TimeSpan.FromMilliseconds(300);

    /// <summary>How often idle sources look for work that time has made worth taking over.</summary>
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(100);

    /// <summary>Failures in a row that may pass - a lost connection, a busy source - before a source is dropped. Each waits twice as long as
    /// the last, six seconds in all.</summary>
    private const int StrikesMax = 6;

    /// <summary>Turns in which a plan is done although something is missing, as when the disk damages what was stored.</summary>
    private const int PlansMax = 3;

    private readonly IBlobStore _store;
    private readonly BlobTransferOptions _options;
    private readonly TransferMetrics _metrics;
    private readonly IBlobWriter _writer;
    private readonly Lock _lock = new();
    private readonly List<DownloadSource> _sources = [];
    private readonly List<Task> _running = [];
    private readonly List<BlobTransferException> _failures = [];
    private readonly SemaphoreSlim _proving = new(1);
    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource _completed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private DownloadPlan? _plan;
    private int _plans;
    private int _expecting;
    private double _receivedAt;
    private bool _stopped;

    /// <summary>A download that waits for sources.</summary>
    /// <param name="store">Where to.</param>
    /// <param name="hash">The blob.</param>
    /// <param name="options">How.</param>
    /// <param name="metrics">Counts.</param>
    public BlobDownload(IBlobStore store, BlobHash hash, BlobTransferOptions options, TransferMetrics metrics)
    {
        (_store, _options, _metrics, Hash) = (store, options, metrics, hash);
        _writer = store.OpenWriter(hash);
        _ = _writer.Completed.ContinueWith(
            _ => _completed.TrySetResult(), CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default);
    }

    /// <summary>The blob.</summary>
    public BlobHash Hash { get; }

    /// <summary>Who takes part; guarded by the lock of the <see cref="BlobDownloader"/>.</summary>
    public int Participants { get; set; }

    /// <summary>Completes when the blob is safe in the store; fails with <see cref="BlobDownloadException"/> when no source is left, or with
    /// what the store threw.</summary>
    public Task Completion => _completed.Task;

    /// <summary>Says that sources may come from one more participant, until <see cref="EndExpecting"/>.</summary>
    public void Expect()
    {
        lock (_lock)
            _expecting++;
    }

    /// <summary>Says that no more sources come from a participant.</summary>
    public void EndExpecting()
    {
        lock (_lock)
            _expecting--;
        FailIfHopeless();
    }

    /// <summary>Adds a source, unless there is one of that name.</summary>
    public void AddSource(IBlobSource source)
    {
        lock (_lock)
        {
            if (_stopped || _sources.Exists(known => known.Source.Name == source.Name))
                return;
            var added = new DownloadSource(source, _stopping.Token) { BusyAt = Now };
            _sources.Add(added);
            if (_plan is not null)
                added.Index = _plan.AddSource();
            _running.Add(Task.Run(() => RunAsync(added)));
        }
    }

    /// <summary>How far it is: bytes that are here, the size if it is known, and the sources.</summary>
    public (long Present, long Total, IReadOnlyList<SourceProgress> Sources) Look()
    {
        BlobBitfield here = _writer.Bitfield;
        ulong present = here.IsComplete ? here.Size : here.Present.CountBytes(here.Size);
        lock (_lock)
        {
            SourceProgress[] sources = [.. _sources.Select(source => new SourceProgress(
                source.Source.Name, source.Bytes, source.Meter.Rate(Now) ?? 0,
                source.Failure is not null ? BlobSourceState.Dropped : source.Requests > 0 ? BlobSourceState.Active : BlobSourceState.Waiting,
                source.Failure))];
            return ((long)present, here.IsSizeVerified ? (long)here.Size : 0, sources);
        }
    }

    /// <summary>Stops what is under way; what came is in the store.</summary>
    public async ValueTask DisposeAsync()
    {
        Task[] running;
        lock (_lock)
        {
            _stopped = true;
            running = [.. _running];
        }

        await _stopping.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(running).ConfigureAwait(false);
        _completed.TrySetCanceled();
        await _writer.DisposeAsync().ConfigureAwait(false);
        foreach (DownloadSource source in _sources)
            source.Dispose();
        _stopping.Dispose();
        _proving.Dispose();
    }

    private double Now => (double)_options.TimeProvider.GetTimestamp() / _options.TimeProvider.TimestampFrequency;

    /// <summary>The life of one source. Never fails.</summary>
    private async Task RunAsync(DownloadSource source)
    {
        try
        {
            await ProveSizeAsync(source).ConfigureAwait(false);
            if (_completed.Task.IsCompleted)
                return;
            StartObserving(source);
            await Task.WhenAny(source.Reported.Task, Delay(ReportPatience, source)).ConfigureAwait(false);
            await Task.WhenAll(Enumerable.Range(0, _options.RequestsPerSource).Select(_ => WorkAsync(source))).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // The download has ended, or another task of this source has dropped it.
        }
        catch (BlobTransferException exception)
        {
            Drop(source, exception);
        }
        catch (Exception exception)
        {
            // The store failed: no source can help.
            Fail(exception);
        }

        if (source.Observing is { } observing)
        {
            await source.Stop.CancelAsync().ConfigureAwait(false);
            await observing.ConfigureAwait(false);
        }
    }

    /// <summary>Has the source prove the blob's size, unless another one does.</summary>
    private async Task ProveSizeAsync(DownloadSource source)
    {
        CancellationToken stop = source.Stop.Token;
        while (_plan is null)
        {
            bool entered = await _proving.WaitAsync(HedgeAfter, stop).ConfigureAwait(false);
            BlobTransferException? failure = null;
            try
            {
                if (_plan is null)
                    await ProveSizeNowAsync(source, stop).ConfigureAwait(false);
            }
            catch (BlobTransferException exception)
            {
                failure = exception;
            }
            finally
            {
                if (entered)
                    _proving.Release();
            }

            if (failure is { Failure: BlobTransferFailure.NotFound })
                await WaitForContentAsync(source, failure).ConfigureAwait(false);
            else if (failure is not null)
                await ForgiveAsync(source, failure).ConfigureAwait(false);
        }
    }

    private async Task ProveSizeNowAsync(DownloadSource source, CancellationToken stop)
    {
        await using IBlobWriter writer = _store.OpenWriter(Hash);
        Begin(source);
        ulong size;
        try
        {
            size = await BlobFetch.ProveSizeAsync(source.Source, writer, _options, bytes => OnReceived(source, bytes), stop).ConfigureAwait(false);
        }
        finally
        {
            End(source);
        }

        lock (_lock)
        {
            if (_plan is null)
                MakePlan(size);
        }

        Signal();
        CompleteIfDone();
    }

    /// <summary>A source does not have the blob: perhaps it is fetching it itself, and will.</summary>
    private async Task WaitForContentAsync(DownloadSource source, BlobTransferException failure)
    {
        StartObserving(source);
        await Task.WhenAny(source.Reported.Task, Delay(_options.WaitForContent, source)).ConfigureAwait(false);
        double since = Now;
        ChunkRanges? before = null;
        while (_plan is null)
        {
            Task changed;
            lock (_lock)
            {
                if (source.IsSilent || source.Holdings is null)
                    throw failure;
                if (source.Holdings is { IsEmpty: false } && before is not null && !source.Holdings.Equals(before))
                    return;
                before ??= source.Holdings;
                bool alone = !_sources.Exists(static other => other.Failure is null && other.Requests > 0) && _expecting == 0;
                if (alone && Now - since >= _options.WaitForContent.TotalSeconds)
                    throw failure;
                changed = _changed.Task;
            }

            await Task.WhenAny(changed, Delay(LookInterval, source)).ConfigureAwait(false);
            source.Stop.Token.ThrowIfCancellationRequested();
        }
    }

    private void StartObserving(DownloadSource source)
    {
        lock (_lock)
            source.Observing ??= Task.Run(() => ObserveAsync(source));
    }

    /// <summary>Follows what a source has. Never fails.</summary>
    private async Task ObserveAsync(DownloadSource source)
    {
        try
        {
            await foreach (BlobBitfield bitfield in BlobObserver.ObserveAsync(source.Source, Hash, source.Stop.Token).ConfigureAwait(false))
            {
                lock (_lock)
                {
                    source.Holdings = bitfield.Present;
                    source.IsPartial = !bitfield.IsComplete;
                    source.BusyAt = Now;
                    TellHoldings(source);
                }

                source.Reported.TrySetResult();
                Signal();
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException or ObjectDisposedException)
        {
            // If the source is gone, its requests find out.
        }

        lock (_lock)
            source.IsSilent = source.Holdings is null;
        source.Reported.TrySetResult();
    }

    /// <summary>One of the requests that a source always has under way, until the blob is here.</summary>
    private async Task WorkAsync(DownloadSource source)
    {
        try
        {
            await using IBlobWriter writer = _store.OpenWriter(Hash);
            while (!_completed.Task.IsCompleted)
            {
                Assignment? assignment;
                Task changed;
                lock (_lock)
                {
                    changed = _changed.Task;
                    assignment = Take(source);
                }

                if (assignment is not null)
                    await DeliverAsync(source, writer, assignment).ConfigureAwait(false);
                else
                    await Task.WhenAny(changed, Delay(LookInterval, source)).ConfigureAwait(false);
                source.Stop.Token.ThrowIfCancellationRequested();
            }
        }
        catch
        {
            // The source's other requests end with this one.
            await source.Stop.CancelAsync().ConfigureAwait(false);
            throw;
        }
    }

    private Assignment? Take(DownloadSource source)
    {
        double now = Now;
        foreach (DownloadSource other in _sources)
        {
            if (other.Meter.Rate(now) is { } rate)
                _plan!.SetRate(other.Index, rate);
        }

        Assignment? assignment = _plan!.Take(source.Index);
        if (assignment is not null)
        {
            source.BusyAt = now;
            Begin(source);
        }
        else if (source.Requests == 0 && now - Math.Max(source.BusyAt, _receivedAt) >= _options.StallTimeout.TotalSeconds && !_plan.IsComplete)
        {
            throw new BlobTransferException(
                BlobTransferFailure.NotFound, Hash, source.Source.Name, $"{source.Source.Name} has nothing of what is missing: blob {Hash}");
        }

        return assignment;
    }

    private async Task DeliverAsync(DownloadSource source, IBlobWriter writer, Assignment assignment)
    {
        BlobTransferException? failure = null;
        try
        {
            await FetchAsync(source, writer, assignment).ConfigureAwait(false);
        }
        catch (BlobTransferException exception)
        {
            failure = exception;
        }
        finally
        {
            lock (_lock)
                _plan!.End(assignment);
            End(source);
            Signal();
        }

        CompleteIfDone();
        if (failure is not null)
            await ForgiveAsync(source, failure).ConfigureAwait(false);
    }

    private async Task FetchAsync(DownloadSource source, IBlobWriter writer, Assignment assignment)
    {
        PieceGrid grid = _plan!.Grid;
        ChunkRanges pieces = grid.RangesOf(assignment.First, assignment.End - assignment.First);
        while (BlobFetch.Missing(writer, grid.Size).Intersect(pieces) is { IsEmpty: false } missing && assignment.EndOffset > assignment.Offset)
        {
            await BlobFetch.FetchAsync(
                source.Source, writer, missing.FirstRanges(BlobFetch.RangesMax), grid.Size, _options,
                (offset, _) => OnStored(assignment, offset), offset => offset < assignment.EndOffset, bytes => OnReceived(source, bytes),
                source.Stop.Token).ConfigureAwait(false);
            lock (_lock)
                source.Strikes = 0;
        }

        lock (_lock)
            _plan.Advance(assignment, assignment.EndOffset);
    }

    private void OnStored(Assignment assignment, ulong offset)
    {
        lock (_lock)
            _plan!.Advance(assignment, Math.Min(offset, assignment.EndOffset));
    }

    private void OnReceived(DownloadSource source, int bytes)
    {
        lock (_lock)
        {
            source.Bytes += bytes;
            source.Meter.OnReceived(_receivedAt = Now, bytes);
        }

        _metrics.OnReceived(bytes);
    }

    private void Begin(DownloadSource source)
    {
        lock (_lock)
        {
            source.Requests++;
            source.Meter.OnRequest(Now);
        }
    }

    private void End(DownloadSource source)
    {
        lock (_lock)
        {
            source.Requests--;
            source.Meter.OnEnd(Now);
        }
    }

    /// <summary>Waits after a failure that may pass; throws the others on, and those that do not pass.</summary>
    private async Task ForgiveAsync(DownloadSource source, BlobTransferException failure)
    {
        int strikes;
        lock (_lock)
            strikes = ++source.Strikes;
        bool mayPass = failure.Failure is BlobTransferFailure.Lost or BlobTransferFailure.Aborted or BlobTransferFailure.Limited
            || (failure.Failure == BlobTransferFailure.NotFound && !source.IsSilent);
        if (!mayPass || strikes >= StrikesMax)
            throw failure;
        await Delay(TimeSpan.FromMilliseconds(50 << strikes), source).ConfigureAwait(false);
        source.Stop.Token.ThrowIfCancellationRequested();
    }

    private void Drop(DownloadSource source, BlobTransferException failure)
    {
        lock (_lock)
        {
            source.Failure = failure;
            _failures.Add(failure);
            if (source.Index >= 0)
                _plan!.RemoveSource(source.Index);
        }

        _metrics.OnDropped(failure.Failure);
        Signal();
        FailIfHopeless();
    }

    private void FailIfHopeless()
    {
        BlobDownloadException failure;
        lock (_lock)
        {
            if (_expecting > 0 || _sources.Exists(static source => source.Failure is null))
                return;
            failure = new BlobDownloadException(Hash, [.. _failures]);
        }

        Fail(failure);
    }

    private void Fail(Exception exception)
    {
        if (_completed.TrySetException(exception))
            Signal();

        // Whoever takes part awaits it; nobody has to.
        _ = _completed.Task.Exception;
    }

    /// <summary>Makes the plan, or a new one if the old one is done and something is missing. Under the lock.</summary>
    private void MakePlan(ulong size)
    {
        _plan = new DownloadPlan(new PieceGrid(size), _writer.Bitfield.Present.WholeGroups(size), OperatingSystemRandomSource.Instance);
        _plans++;
        foreach (DownloadSource source in _sources)
        {
            source.Index = _plan.AddSource();
            if (source.Failure is not null)
                _plan.RemoveSource(source.Index);
            else
                TellHoldings(source);
        }
    }

    private void TellHoldings(DownloadSource source)
    {
        if (_plan is not null && source is { Failure: null, Holdings: not null })
            _plan.SetHoldings(source.Index, source.IsPartial ? source.Holdings : null);
    }

    private void CompleteIfDone()
    {
        lock (_lock)
        {
            if (_plan is not { IsComplete: true } || _completed.Task.IsCompleted)
                return;
            if (!_writer.Bitfield.IsComplete)
            {
                if (_plans < PlansMax)
                    MakePlan(_plan.Grid.Size);
                else
                    _completed.TrySetException(new IOException($"blob {Hash} came as a whole, and parts of it are missing in the store: look after its disk"));
                return;
            }
        }

        _completed.TrySetResult();
        Signal();
    }

    private void Signal()
    {
        TaskCompletionSource changed;
        lock (_lock)
        {
            changed = _changed;
            _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        changed.TrySetResult();
    }

    private Task Delay(TimeSpan time, DownloadSource source) => Task.Delay(time, _options.TimeProvider, source.Stop.Token);
}
