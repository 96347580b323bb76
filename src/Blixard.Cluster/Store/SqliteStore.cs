using System.Runtime.CompilerServices;
using Microsoft.Data.Sqlite;

namespace Blixard.Cluster.Store;

/// <summary>
/// The cluster store of a single server: one SQLite file in WAL mode, every commit synced to the disk. Writes go through one
/// connection, one after the other; reads have their own. Watches read the history table, so a slow watcher holds up nobody
/// and can resume at any revision that is still kept.
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

    // What one turn of a watch reads at most, so that a far-behind watcher does not hold the history in memory.
    private const int WatchBatchRowsMax = 1_000;

    private readonly SqliteConnection _writer;
    private readonly SqliteConnection _reader;
    private readonly SemaphoreSlim _writing = new(1, 1);
    private readonly SemaphoreSlim _reading = new(1, 1);
    private readonly CancellationTokenSource _disposing = new();
    private readonly int _historyRevisionsMax;
    private TaskCompletionSource _changed = NewSignal();
    private long _revision;
    private long _oldest;

    private SqliteStore(SqliteConnection writer, SqliteConnection reader, int historyRevisionsMax)
    {
        _writer = writer;
        _reader = reader;
        _historyRevisionsMax = historyRevisionsMax;
        _revision = (long)Scalar(writer, "SELECT value FROM meta WHERE name = 'revision'")!;
        _oldest = (long)Scalar(writer, "SELECT value FROM meta WHERE name = 'oldest'")!;
    }

    /// <summary>Opens or creates the store.</summary>
    /// <param name="path">The database file; its folder must exist.</param>
    /// <exception cref="StoreUnavailableException">The file cannot be opened, or is no store.</exception>
    public static SqliteStore Open(string path) => Open(path, HistoryRevisionsMax);

    internal static SqliteStore Open(string path, int historyRevisionsMax)
    {
        SqliteConnection? writer = null, reader = null;
        try
        {
            writer = OpenConnection(path, SqliteOpenMode.ReadWriteCreate);
            Execute(writer, "PRAGMA journal_mode = WAL");
            Execute(writer, "PRAGMA synchronous = FULL");
            Execute(writer, """
                CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
                CREATE TABLE IF NOT EXISTS entries (
                    key TEXT PRIMARY KEY COLLATE BINARY, value BLOB NOT NULL,
                    create_revision INTEGER NOT NULL, mod_revision INTEGER NOT NULL, version INTEGER NOT NULL) WITHOUT ROWID;
                CREATE TABLE IF NOT EXISTS history (
                    revision INTEGER NOT NULL, position INTEGER NOT NULL, key TEXT NOT NULL COLLATE BINARY,
                    value BLOB, create_revision INTEGER, version INTEGER, PRIMARY KEY (revision, position)) WITHOUT ROWID;
                INSERT OR IGNORE INTO meta VALUES ('revision', 0), ('oldest', 1);
                """);
            reader = OpenConnection(path, SqliteOpenMode.ReadOnly);
            return new SqliteStore(writer, reader, historyRevisionsMax);
        }
        catch (SqliteException exception)
        {
            writer?.Dispose();
            reader?.Dispose();
            throw Unavailable($"The cluster store {path} cannot be opened", exception);
        }
    }

    /// <inheritdoc/>
    public ValueTask<StoreEntry?> GetAsync(string key, CancellationToken cancellationToken = default)
    {
        StoreTransaction.CheckKey(key);
        return ReadAsync(connection => ReadEntry(connection, key), cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<StoreRange> RangeAsync(string prefix, CancellationToken cancellationToken = default) =>
        ReadAsync(
            connection =>
            {
                // One read transaction, so that entries and revision belong together.
                using SqliteTransaction snapshot = connection.BeginTransaction(deferred: true);
                long revision = (long)Scalar(connection, "SELECT value FROM meta WHERE name = 'revision'")!;
                return new StoreRange(ReadPrefix(connection, prefix), revision);
            },
            cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<StoreCommit> TransactAsync(StoreTransaction transaction, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(transaction);
        transaction.Validate();
        await _writing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            // The commit waits for the disk; the caller's thread does not.
            return await Task.Run(() => Commit(transaction), CancellationToken.None).ConfigureAwait(false);
        }
        catch (SqliteException exception)
        {
            throw Unavailable("The cluster store could not be written", exception);
        }
        finally
        {
            _writing.Release();
        }
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
                await ReadAsync(connection => ReadHistory(connection, prefix, next), stopping.Token).ConfigureAwait(false);
            foreach (StoreChanges changes in batch)
                yield return changes;
            if (scanned >= next)
                next = scanned + 1;
            else
                await changed.WaitAsync(stopping.Token).ConfigureAwait(false);
        }
    }

    /// <summary>Ends all watches and closes the file. What was committed is on the disk already.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_disposing.IsCancellationRequested)
            return;
        await _disposing.CancelAsync().ConfigureAwait(false);
        await _writing.WaitAsync().ConfigureAwait(false);
        await _reading.WaitAsync().ConfigureAwait(false);
        await _reader.DisposeAsync().ConfigureAwait(false);
        await _writer.DisposeAsync().ConfigureAwait(false);
    }

    private StoreCommit Commit(StoreTransaction transaction)
    {
        using SqliteTransaction commit = _writer.BeginTransaction(deferred: false);
        if (!transaction.Comparisons.All(comparison => Holds(comparison, ReadEntry(_writer, comparison.Key))))
        {
            var current = transaction.Comparisons.Select(comparison => comparison.Key).Distinct(StringComparer.Ordinal)
                .Select(key => ReadEntry(_writer, key)).OfType<StoreEntry>().ToList();
            return new StoreCommit(false, _revision, current);
        }

        long revision = _revision + 1;
        int position = 0;
        foreach (StoreOperation operation in transaction.Operations)
        {
            if (Apply(operation, revision, position))
                position++;
        }

        // A transaction that changed nothing is no revision: watchers would see a gap.
        if (position == 0)
            return new StoreCommit(true, _revision, []);
        Execute(_writer, "UPDATE meta SET value = $revision WHERE name = 'revision'", ("$revision", revision));
        long oldest = Compact(revision);
        commit.Commit();
        _revision = revision;
        Volatile.Write(ref _oldest, oldest);
        Interlocked.Exchange(ref _changed, NewSignal()).SetResult();
        return new StoreCommit(true, revision, []);
    }

    private bool Apply(StoreOperation operation, long revision, int position)
    {
        StoreEntry? before = ReadEntry(_writer, operation.Key);
        if (operation is StoreOperation.Put put)
        {
            (string, object)[] parameters =
            [
                ("$key", put.Key), ("$value", put.Value.ToArray()), ("$revision", revision), ("$position", position),
                ("$created", before?.CreateRevision ?? revision), ("$version", (before?.Version ?? 0) + 1),
            ];
            Execute(_writer, "INSERT OR REPLACE INTO entries VALUES ($key, $value, $created, $revision, $version)", parameters);
            Execute(_writer, "INSERT INTO history VALUES ($revision, $position, $key, $value, $created, $version)", parameters);
            return true;
        }

        if (before is null)
            return false;
        Execute(_writer, "DELETE FROM entries WHERE key = $key", ("$key", operation.Key));
        Execute(
            _writer,
            "INSERT INTO history VALUES ($revision, $position, $key, NULL, NULL, NULL)",
            ("$revision", revision), ("$position", position), ("$key", operation.Key));
        return true;
    }

    private long Compact(long revision)
    {
        long oldest = revision - _historyRevisionsMax + 1;
        if (oldest < _oldest + Math.Min(CompactionStep, _historyRevisionsMax))
            return _oldest;
        Execute(_writer, "DELETE FROM history WHERE revision < $oldest", ("$oldest", oldest));
        Execute(_writer, "UPDATE meta SET value = $oldest WHERE name = 'oldest'", ("$oldest", oldest));
        return oldest;
    }

    private static (IReadOnlyList<StoreChanges> Batch, long Scanned) ReadHistory(SqliteConnection connection, string prefix, long next)
    {
        using SqliteTransaction snapshot = connection.BeginTransaction(deferred: true);
        long oldest = (long)Scalar(connection, "SELECT value FROM meta WHERE name = 'oldest'")!;
        if (next < oldest)
            throw new StoreCompactedException(oldest);
        long scanned = (long)Scalar(connection, "SELECT value FROM meta WHERE name = 'revision'")!;
        var batch = new List<StoreChanges>();
        var changes = new List<StoreChange>();
        long current = 0;
        int rows = 0;
        using SqliteCommand command = Command(
            connection,
            "SELECT revision, key, value, create_revision, version FROM history WHERE revision >= $next ORDER BY revision, position",
            ("$next", next));
        using SqliteDataReader reader = command.ExecuteReader();
        while (reader.Read())
        {
            long revision = reader.GetInt64(0);
            if (revision != current)
            {
                if (changes.Count > 0)
                    batch.Add(new StoreChanges(current, changes));
                changes = [];
                if (rows >= WatchBatchRowsMax)
                {
                    scanned = current;
                    break;
                }

                current = revision;
            }

            rows++;
            string key = reader.GetString(1);
            if (!key.StartsWith(prefix, StringComparison.Ordinal))
                continue;
            StoreEntry? entry = reader.IsDBNull(2)
                ? null
                : new StoreEntry(key, reader.GetFieldValue<byte[]>(2), reader.GetInt64(3), revision, reader.GetInt64(4));
            changes.Add(new StoreChange(key, entry));
        }

        if (changes.Count > 0)
            batch.Add(new StoreChanges(current, changes));
        return (batch, scanned);
    }

    private static bool Holds(StoreComparison comparison, StoreEntry? entry) => comparison switch
    {
        StoreComparison.Absent => entry is null,
        StoreComparison.Present => entry is not null,
        StoreComparison.ModRevision mod => entry?.ModRevision == mod.Revision,
        StoreComparison.ValueIs value => entry is not null && entry.Value.Span.SequenceEqual(value.Value.Span),
        _ => throw new ArgumentException($"{comparison.GetType()} is no comparison of this store.", nameof(comparison)),
    };

    private static StoreEntry? ReadEntry(SqliteConnection connection, string key)
    {
        using SqliteCommand command = Command(
            connection, "SELECT key, value, create_revision, mod_revision, version FROM entries WHERE key = $key", ("$key", key));
        using SqliteDataReader reader = command.ExecuteReader();
        return reader.Read() ? ReadEntry(reader) : null;
    }

    private static List<StoreEntry> ReadPrefix(SqliteConnection connection, string prefix)
    {
        var entries = new List<StoreEntry>();
        using SqliteCommand command = Command(
            connection,
            "SELECT key, value, create_revision, mod_revision, version FROM entries WHERE key >= $prefix ORDER BY key",
            ("$prefix", prefix));
        using SqliteDataReader reader = command.ExecuteReader();
        // Keys with the prefix stand together, right after it in the order of bytes.
        while (reader.Read() && reader.GetString(0).StartsWith(prefix, StringComparison.Ordinal))
            entries.Add(ReadEntry(reader));
        return entries;
    }

    private static StoreEntry ReadEntry(SqliteDataReader reader) =>
        new(reader.GetString(0), reader.GetFieldValue<byte[]>(1), reader.GetInt64(2), reader.GetInt64(3), reader.GetInt64(4));

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
            throw Unavailable("The cluster store could not be read", exception);
        }
        finally
        {
            _reading.Release();
        }
    }

    private static SqliteConnection OpenConnection(string path, SqliteOpenMode mode)
    {
        // Pooling would keep the file open after Dispose.
        var settings = new SqliteConnectionStringBuilder { DataSource = path, Mode = mode, Pooling = false, DefaultTimeout = 5 };
        var connection = new SqliteConnection(settings.ToString());
        try
        {
            connection.Open();
            return connection;
        }
        catch (SqliteException)
        {
            connection.Dispose();
            throw;
        }
    }

    private static SqliteCommand Command(SqliteConnection connection, string text, params ReadOnlySpan<(string Name, object Value)> parameters)
    {
        SqliteCommand command = connection.CreateCommand();
        command.CommandText = text;
        foreach ((string name, object value) in parameters)
            command.Parameters.AddWithValue(name, value);
        return command;
    }

    private static void Execute(SqliteConnection connection, string text, params ReadOnlySpan<(string Name, object Value)> parameters)
    {
        using SqliteCommand command = Command(connection, text, parameters);
        command.ExecuteNonQuery();
    }

    private static object? Scalar(SqliteConnection connection, string text)
    {
        using SqliteCommand command = Command(connection, text);
        return command.ExecuteScalar();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static StoreUnavailableException Unavailable(string what, SqliteException exception) => new(
        exception.SqliteErrorCode switch
        {
            13 => $"{what}: the disk is full. Free some space; nothing that was acknowledged is lost.",
            14 => $"{what}: the file or its folder does not exist or may not be opened.",
            26 => $"{what}: the file is not a SQLite database.",
            11 => $"{what}: the file is damaged. Restore it from a backup.",
            _ => $"{what}: {exception.Message}",
        },
        exception);
}
