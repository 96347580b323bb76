using System.Runtime.CompilerServices;
using Iroh.Cryptography;
using Microsoft.Data.Sqlite;

namespace Blixard.Cluster.Store;

/// <summary>
/// The cluster store of a single server: one SQLite file in WAL mode, every commit synced to the disk. Writes go through one
/// connection, one after the other; reads have their own. Watches read the history table, so a slow watcher holds up nobody
/// and can resume at any revision that is still kept. Reads are never stale: there is one copy. Leases are in the file; their
/// deadlines are in memory, so that each has its whole time again after the store was opened.
/// </summary>
public sealed class SqliteStore : IClusterStore
{
    /// <summary>
    /// How many revisions are kept for watches. A node that was cut off reads everything again in any case; ten thousand
    /// changes cover hours of a small fleet and some megabytes.
    /// </summary>
    public const int HistoryRevisionsMax = 10_000;

    // History is trimmed in steps, so that not every write pays for it.
    private const int CompactionStep = 1_000;

    // If the keys of a lease cannot be deleted (a full disk), it is tried again this much later.
    private static readonly TimeSpan s_expiryRetry = TimeSpan.FromSeconds(1);

    private readonly SqliteConnection _writer;
    private readonly SqliteConnection _reader;
    private readonly TimeProvider _time;
    private readonly RandomSource _random;
    private readonly long _opened;
    private readonly SemaphoreSlim _writing = new(1, 1);
    private readonly SemaphoreSlim _reading = new(1, 1);
    private readonly CancellationTokenSource _disposing = new();
    private readonly int _historyRevisionsMax;
    private readonly Lock _leasing = new();
    private readonly LeaseTable _leases = new();
    private readonly Task _expiring;
    private TaskCompletionSource _granted = NewSignal();
    private TaskCompletionSource _changed = NewSignal();
    private long _revision;
    private long _oldest;

    private SqliteStore(SqliteConnection writer, SqliteConnection reader, TimeProvider time, RandomSource random, int historyRevisionsMax)
    {
        (_writer, _reader, _time, _random) = (writer, reader, time, random);
        _historyRevisionsMax = historyRevisionsMax;
        _opened = time.GetTimestamp();
        _revision = SqliteRows.ReadRevision(writer);
        _oldest = SqliteRows.ReadOldest(writer);
        foreach (StoreLease lease in SqliteRows.ReadLeases(writer))
            _leases.Add(lease.Id, lease.TimeToLive, TimeSpan.Zero);
        _expiring = ExpireAsync();
    }

    /// <inheritdoc/>
    public IStoreReader Replica => this;

    private TimeSpan Now => _time.GetElapsedTime(_opened);

    /// <summary>Opens or creates the store. A file of an earlier version is brought to the form of this one.</summary>
    /// <param name="path">The database file; its folder must exist.</param>
    /// <param name="time">The clock of leases.</param>
    /// <param name="random">Makes the numbers of leases; used by this store only, or thread-safe.</param>
    /// <exception cref="StoreUnavailableException">The file cannot be opened, is no store, or is one of a later version.</exception>
    public static SqliteStore Open(string path, TimeProvider time, RandomSource random) => Open(path, time, random, HistoryRevisionsMax);

    internal static SqliteStore Open(string path, TimeProvider time, RandomSource random, int historyRevisionsMax)
    {
        SqliteConnection? writer = null, reader = null;
        try
        {
            writer = SqliteFile.OpenWriter(path);
            reader = SqliteFile.OpenReader(path);
            return new SqliteStore(writer, reader, time, random, historyRevisionsMax);
        }
        catch (SqliteException exception)
        {
            writer?.Dispose();
            reader?.Dispose();
            throw SqliteFile.Unavailable($"The cluster store {path} cannot be opened", exception);
        }
    }

    /// <inheritdoc/>
    public ValueTask<StoreEntry?> GetAsync(string key, CancellationToken cancellationToken = default)
    {
        StoreTransaction.CheckKey(key);
        return ReadAsync(connection => SqliteRows.ReadEntry(connection, key), cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<StoreRange> RangeAsync(string prefix, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(prefix);
        return ReadAsync(
            connection =>
            {
                // One read transaction, so that entries and revision belong together.
                using SqliteTransaction snapshot = connection.BeginTransaction(deferred: true);
                long revision = SqliteRows.ReadRevision(connection);
                return new StoreRange(SqliteRows.ReadPrefix(connection, prefix), revision);
            },
            cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<StoreCommit> TransactAsync(StoreTransaction transaction, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(transaction);
        transaction.Validate();
        return WriteAsync(() => Commit(transaction), cancellationToken);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<StoreChanges> WatchAsync(
        string prefix, long fromRevision, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _disposing.Token);
        long next = Math.Max(1, fromRevision);
        while (true)
        {
            // Taken before reading: a commit between the read and the wait completes this very task.
            Task changed = Volatile.Read(ref _changed).Task;
            (IReadOnlyList<StoreChanges> batch, long scanned) =
                await ReadAsync(connection => SqliteRows.ReadHistory(connection, prefix, next), stopping.Token).ConfigureAwait(false);
            foreach (StoreChanges changes in batch)
                yield return changes;
            if (scanned >= next)
                next = scanned + 1;
            else
                await changed.WaitAsync(stopping.Token).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    /// <exception cref="StoreUnavailableException">Also if there are 10,000 leases.</exception>
    public ValueTask<StoreLease> GrantLeaseAsync(TimeSpan timeToLive, CancellationToken cancellationToken = default)
    {
        StoreLimits.CheckLease(timeToLive);
        return WriteAsync(() => Grant(timeToLive), cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<TimeSpan?> KeepLeaseAsync(long lease, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_disposing.IsCancellationRequested, this);
        lock (_leasing)
            return ValueTask.FromResult(_leases.Keep(lease, Now));
    }

    /// <inheritdoc/>
    public async ValueTask RevokeLeaseAsync(long lease, CancellationToken cancellationToken = default) =>
        await WriteAsync(() => End(lease), cancellationToken).ConfigureAwait(false);

    /// <summary>Ends all watches and closes the file. What was committed is on the disk already.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_disposing.IsCancellationRequested)
            return;
        await _disposing.CancelAsync().ConfigureAwait(false);
        await _expiring.ConfigureAwait(false);
        await _writing.WaitAsync().ConfigureAwait(false);
        await _reading.WaitAsync().ConfigureAwait(false);
        await _reader.DisposeAsync().ConfigureAwait(false);
        await _writer.DisposeAsync().ConfigureAwait(false);
    }

    private StoreCommit Commit(StoreTransaction transaction)
    {
        using SqliteTransaction commit = _writer.BeginTransaction(deferred: false);
        if (!transaction.Comparisons.All(comparison => Holds(comparison, SqliteRows.ReadEntry(_writer, comparison.Key))))
        {
            var current = transaction.Comparisons.Select(comparison => comparison.Key).Distinct(StringComparer.Ordinal)
                .Select(key => SqliteRows.ReadEntry(_writer, key)).OfType<StoreEntry>().ToList();
            return new StoreCommit(false, _revision, current);
        }

        foreach (StoreOperation.Put put in transaction.Operations.OfType<StoreOperation.Put>().Where(put => put.Lease != 0))
        {
            lock (_leasing)
            {
                if (!_leases.IsAlive(put.Lease, Now))
                    throw new StoreLeaseNotFoundException(put.Lease);
            }
        }

        return new StoreCommit(true, Append(commit, transaction.Operations), []);
    }

    /// <summary>Does the operations as the next revision, commits, and tells the watches.</summary>
    /// <returns>The store's revision now.</returns>
    private long Append(SqliteTransaction commit, IEnumerable<StoreOperation> operations)
    {
        long revision = _revision + 1;
        int position = 0;
        foreach (StoreOperation operation in operations)
        {
            if (Apply(operation, revision, position))
                position++;
        }

        // What changed no key is no revision: watchers would see a gap.
        if (position == 0)
        {
            commit.Commit();
            return _revision;
        }

        SqliteRows.WriteRevision(_writer, revision);
        long oldest = Compact(revision);
        commit.Commit();
        _revision = revision;
        _oldest = oldest;
        Interlocked.Exchange(ref _changed, NewSignal()).SetResult();
        return revision;
    }

    private bool Apply(StoreOperation operation, long revision, int position)
    {
        StoreEntry? before = SqliteRows.ReadEntry(_writer, operation.Key);
        if (operation is StoreOperation.Put put)
        {
            SqliteRows.Put(_writer, put, before, revision, position);
            return true;
        }

        if (before is null)
            return false;
        SqliteRows.Delete(_writer, operation.Key, revision, position);
        return true;
    }

    private long Compact(long revision)
    {
        long oldest = revision - _historyRevisionsMax + 1;
        if (oldest < _oldest + Math.Min(CompactionStep, _historyRevisionsMax))
            return _oldest;
        SqliteRows.Forget(_writer, oldest);
        return oldest;
    }

    private StoreLease Grant(TimeSpan timeToLive)
    {
        var lease = new StoreLease(NewLeaseId(), timeToLive);
        SqliteRows.AddLease(_writer, lease);
        lock (_leasing)
        {
            _leases.Add(lease.Id, timeToLive, Now);
            Interlocked.Exchange(ref _granted, NewSignal()).SetResult();
        }

        return lease;
    }

    // Random, because a counter would come back to old numbers when an old copy of the file is restored.
    private long NewLeaseId()
    {
        lock (_leasing)
        {
            if (_leases.Count >= LeaseTable.LeasesMax)
                throw new StoreUnavailableException($"There are {LeaseTable.LeasesMax} leases already; no more are granted.") { HadNoEffect = true };
            long id;
            do
                id = (long)(_random.NextUInt64() >> 1);
            while (id == 0 || _leases.Contains(id));
            return id;
        }
    }

    private bool End(long lease)
    {
        lock (_leasing)
        {
            if (!_leases.Contains(lease))
                return false;
        }

        using SqliteTransaction commit = _writer.BeginTransaction(deferred: false);
        SqliteRows.RemoveLease(_writer, lease);
        Append(commit, SqliteRows.ReadKeysOf(_writer, lease).Select(key => new StoreOperation.Delete(key)));
        lock (_leasing)
            _leases.Remove(lease);
        return true;
    }

    /// <summary>Ends each lease whose deadline has passed, as long as the store is open.</summary>
    private async Task ExpireAsync()
    {
        TimeSpan atLeast = TimeSpan.Zero;
        while (true)
        {
            await UntilDeadlineAsync(atLeast).ConfigureAwait(false);
            if (_disposing.IsCancellationRequested)
                return;
            atLeast = await TryEndLeasesAsync().ConfigureAwait(false) ? TimeSpan.Zero : s_expiryRetry;
        }
    }

    /// <summary>Waits for the next deadline, for a lease that was granted meanwhile, or for the store's end.</summary>
    private async Task UntilDeadlineAsync(TimeSpan atLeast)
    {
        Task granted;
        TimeSpan wait = Timeout.InfiniteTimeSpan;
        lock (_leasing)
        {
            granted = _granted.Task;
            // Timers count whole milliseconds: one more, and the deadline has passed when it fires.
            if (_leases.NextDeadline - Now is { } left)
                wait = (left > atLeast ? left : atLeast) + TimeSpan.FromMilliseconds(1);
        }

        using var waiting = CancellationTokenSource.CreateLinkedTokenSource(_disposing.Token);
        await Task.WhenAny(granted, Task.Delay(wait, _time, waiting.Token)).ConfigureAwait(false);
        await waiting.CancelAsync().ConfigureAwait(false);
    }

    private async Task<bool> TryEndLeasesAsync()
    {
        try
        {
            IReadOnlyList<long> ended;
            lock (_leasing)
                ended = _leases.Ended(Now);
            foreach (long lease in ended)
                await WriteAsync(() => End(lease), _disposing.Token).ConfigureAwait(false);
            return true;
        }
        catch (Exception exception) when (exception is StoreUnavailableException or OperationCanceledException or ObjectDisposedException)
        {
            return false;
        }
    }

    private static bool Holds(StoreComparison comparison, StoreEntry? entry) => comparison switch
    {
        StoreComparison.Absent => entry is null,
        StoreComparison.Present => entry is not null,
        StoreComparison.ModRevision mod => entry?.ModRevision == mod.Revision,
        StoreComparison.ValueIs value => entry is not null && entry.Value.Span.SequenceEqual(value.Value.Span),
        _ => throw new ArgumentException($"{comparison.GetType()} is no comparison of this store.", nameof(comparison)),
    };

    private async ValueTask<T> WriteAsync<T>(Func<T> write, CancellationToken cancellationToken)
    {
        await _writing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            ObjectDisposedException.ThrowIf(_disposing.IsCancellationRequested, this);
            // The commit waits for the disk; the caller's thread does not.
            return await Task.Run(write, CancellationToken.None).ConfigureAwait(false);
        }
        catch (SqliteException exception)
        {
            throw SqliteFile.Unavailable("The cluster store could not be written", exception);
        }
        finally
        {
            _writing.Release();
        }
    }

    private async ValueTask<T> ReadAsync<T>(Func<SqliteConnection, T> read, CancellationToken cancellationToken)
    {
        await _reading.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            ObjectDisposedException.ThrowIf(_disposing.IsCancellationRequested, this);
            return read(_reader);
        }
        catch (SqliteException exception)
        {
            throw SqliteFile.Unavailable("The cluster store could not be read", exception);
        }
        finally
        {
            _reading.Release();
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
