using Microsoft.Data.Sqlite;

namespace Blixard.Cluster.Store.Backup;

/// <summary>Makes the file of a <see cref="SqliteStore"/> that begins with given keys and a given revision.</summary>
public static class SqliteSeed
{
    /// <summary>Writes the file, synced to the disk and complete in itself (no write-ahead log beside it).</summary>
    /// <param name="path">A file that is not there yet.</param>
    /// <param name="entries">What it shall hold, with exactly these revisions; without leases.</param>
    /// <param name="revision">The store's revision. Watches from it or before are told that history is no longer kept.</param>
    /// <param name="cancellationToken">Gives it up; the file is then empty or not there.</param>
    /// <exception cref="IOException">The file is there already.</exception>
    /// <exception cref="StoreUnavailableException">The file cannot be written.</exception>
    public static void Write(string path, IEnumerable<StoreEntry> entries, long revision, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(entries);
        if (File.Exists(path))
            throw new IOException($"{path} exists already.");
        try
        {
            // Closing the last connection moves the write-ahead log into the file and removes it.
            using SqliteConnection connection = SqliteFile.OpenWriter(path);
            using SqliteTransaction seeding = connection.BeginTransaction(deferred: false);
            foreach (StoreEntry entry in entries)
            {
                cancellationToken.ThrowIfCancellationRequested();
                SqliteRows.Seed(connection, entry);
            }

            SqliteRows.WriteRevision(connection, revision);
            SqliteRows.Forget(connection, revision + 1);
            seeding.Commit();
        }
        catch (SqliteException exception)
        {
            throw SqliteFile.Unavailable($"The cluster store {path} could not be written", exception);
        }
    }
}
