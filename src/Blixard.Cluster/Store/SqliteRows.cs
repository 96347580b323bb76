using Microsoft.Data.Sqlite;
using static Blixard.Cluster.Store.SqliteFile;

namespace Blixard.Cluster.Store;

/// <summary>The rows of a <see cref="SqliteStore"/> as entries, changes and leases, and back. It decides nothing.</summary>
internal static class SqliteRows
{
    // What one turn of a watch reads at most, so that a far-behind watcher does not hold the history in memory.
    private const int WatchBatchRowsMax = 1_000;

    private const string EntryColumns = "key, value, create_revision, mod_revision, version, lease";

    public static long ReadRevision(SqliteConnection connection) => (long)Scalar(connection, "SELECT value FROM meta WHERE name = 'revision'")!;

    public static long ReadOldest(SqliteConnection connection) => (long)Scalar(connection, "SELECT value FROM meta WHERE name = 'oldest'")!;

    public static StoreEntry? ReadEntry(SqliteConnection connection, string key)
    {
        using SqliteCommand command = Command(connection, $"SELECT {EntryColumns} FROM entries WHERE key = $key", ("$key", key));
        using SqliteDataReader reader = command.ExecuteReader();
        return reader.Read() ? ToEntry(reader) : null;
    }

    public static List<StoreEntry> ReadPrefix(SqliteConnection connection, string prefix)
    {
        var entries = new List<StoreEntry>();
        using SqliteCommand command = Command(
            connection, $"SELECT {EntryColumns} FROM entries WHERE key >= $prefix ORDER BY key", ("$prefix", prefix));
        using SqliteDataReader reader = command.ExecuteReader();
        // Keys with the prefix stand together, right after it in the order of bytes.
        while (reader.Read() && reader.GetString(0).StartsWith(prefix, StringComparison.Ordinal))
            entries.Add(ToEntry(reader));
        return entries;
    }

    /// <summary>The changes under a prefix from a revision on, and up to which revision they were looked for.</summary>
    /// <exception cref="StoreCompactedException">Revisions that were asked for are no longer kept.</exception>
    public static (IReadOnlyList<StoreChanges> Batch, long Scanned) ReadHistory(SqliteConnection connection, string prefix, long next)
    {
        using SqliteTransaction snapshot = connection.BeginTransaction(deferred: true);
        long oldest = ReadOldest(connection);
        if (next < oldest)
            throw new StoreCompactedException(oldest);
        long scanned = ReadRevision(connection);
        var batch = new List<StoreChanges>();
        var changes = new List<StoreChange>();
        long current = 0;
        int rows = 0;
        using SqliteCommand command = Command(
            connection,
            "SELECT revision, key, value, create_revision, version, lease FROM history WHERE revision >= $next ORDER BY revision, position",
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
            if (key.StartsWith(prefix, StringComparison.Ordinal))
                changes.Add(new StoreChange(key, ToHistoricEntry(reader, key, revision)));
        }

        if (changes.Count > 0)
            batch.Add(new StoreChanges(current, changes));
        return (batch, scanned);
    }

    public static void Put(SqliteConnection connection, StoreOperation.Put put, StoreEntry? before, long revision, int position)
    {
        (string, object)[] parameters =
        [
            ("$key", put.Key), ("$value", put.Value.ToArray()), ("$revision", revision), ("$position", position),
            ("$created", before?.CreateRevision ?? revision), ("$version", (before?.Version ?? 0) + 1), ("$lease", put.Lease),
        ];
        Execute(
            connection,
            $"INSERT OR REPLACE INTO entries ({EntryColumns}) VALUES ($key, $value, $created, $revision, $version, $lease)",
            parameters);
        Execute(
            connection,
            """
            INSERT INTO history (revision, position, key, value, create_revision, version, lease)
            VALUES ($revision, $position, $key, $value, $created, $version, $lease)
            """,
            parameters);
    }

    public static void Delete(SqliteConnection connection, string key, long revision, int position)
    {
        Execute(connection, "DELETE FROM entries WHERE key = $key", ("$key", key));
        Execute(
            connection,
            "INSERT INTO history (revision, position, key) VALUES ($revision, $position, $key)",
            ("$revision", revision), ("$position", position), ("$key", key));
    }

    /// <summary>Writes an entry as it is, without a trace in the history.</summary>
    public static void Seed(SqliteConnection connection, StoreEntry entry) => Execute(
        connection,
        $"INSERT INTO entries ({EntryColumns}) VALUES ($key, $value, $created, $revision, $version, 0)",
        ("$key", entry.Key), ("$value", entry.Value.ToArray()), ("$created", entry.CreateRevision), ("$revision", entry.ModRevision),
        ("$version", entry.Version));

    public static void WriteRevision(SqliteConnection connection, long revision) =>
        Execute(connection, "UPDATE meta SET value = $revision WHERE name = 'revision'", ("$revision", revision));

    public static void Forget(SqliteConnection connection, long oldest)
    {
        Execute(connection, "DELETE FROM history WHERE revision < $oldest", ("$oldest", oldest));
        Execute(connection, "UPDATE meta SET value = $oldest WHERE name = 'oldest'", ("$oldest", oldest));
    }

    public static IReadOnlyList<StoreLease> ReadLeases(SqliteConnection connection)
    {
        var leases = new List<StoreLease>();
        using SqliteCommand command = Command(connection, "SELECT id, ttl_seconds FROM leases ORDER BY id");
        using SqliteDataReader reader = command.ExecuteReader();
        while (reader.Read())
            leases.Add(new StoreLease(reader.GetInt64(0), TimeSpan.FromSeconds(reader.GetInt64(1))));
        return leases;
    }

    public static void AddLease(SqliteConnection connection, StoreLease lease) => Execute(
        connection, "INSERT INTO leases (id, ttl_seconds) VALUES ($id, $ttl)", ("$id", lease.Id), ("$ttl", (long)lease.TimeToLive.TotalSeconds));

    public static void RemoveLease(SqliteConnection connection, long lease) =>
        Execute(connection, "DELETE FROM leases WHERE id = $id", ("$id", lease));

    public static IReadOnlyList<string> ReadKeysOf(SqliteConnection connection, long lease)
    {
        var keys = new List<string>();
        // The index holds only keys with a lease, which the second condition tells SQLite.
        using SqliteCommand command = Command(
            connection, "SELECT key FROM entries WHERE lease = $lease AND lease <> 0 ORDER BY key", ("$lease", lease));
        using SqliteDataReader reader = command.ExecuteReader();
        while (reader.Read())
            keys.Add(reader.GetString(0));
        return keys;
    }

    private static StoreEntry ToEntry(SqliteDataReader reader) => new(
        reader.GetString(0), reader.GetFieldValue<byte[]>(1), reader.GetInt64(2), reader.GetInt64(3), reader.GetInt64(4), reader.GetInt64(5));

    private static StoreEntry? ToHistoricEntry(SqliteDataReader reader, string key, long revision) => reader.IsDBNull(2)
        ? null
        : new StoreEntry(key, reader.GetFieldValue<byte[]>(2), reader.GetInt64(3), revision, reader.GetInt64(4), reader.GetInt64(5));
}
