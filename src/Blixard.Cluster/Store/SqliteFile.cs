using Microsoft.Data.Sqlite;

namespace Blixard.Cluster.Store;

/// <summary>Opens the file of a <see cref="SqliteStore"/>, brings its tables to the form of this version, and runs statements on it.</summary>
internal static class SqliteFile
{
    // PRAGMA user_version of the form below. 0 is the form without leases, and a new file.
    private const long Form = 1;

    /// <summary>A connection that writes, to a file whose tables are there.</summary>
    /// <exception cref="SqliteException">The file cannot be opened, or is no database.</exception>
    /// <exception cref="StoreUnavailableException">A later version has written it.</exception>
    public static SqliteConnection OpenWriter(string path)
    {
        SqliteConnection connection = Open(path, SqliteOpenMode.ReadWriteCreate);
        try
        {
            Execute(connection, "PRAGMA journal_mode = WAL");
            Execute(connection, "PRAGMA synchronous = FULL");
            long form = (long)Scalar(connection, "PRAGMA user_version")!;
            if (form > Form)
            {
                throw new StoreUnavailableException(
                    $"The cluster store {path} has form {form}; this version of Blixard reads up to {Form}. Use the version that wrote it.");
            }

            if (form < Form)
                Upgrade(connection);
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    public static SqliteConnection OpenReader(string path) => Open(path, SqliteOpenMode.ReadOnly);

    public static SqliteCommand Command(SqliteConnection connection, string text, params ReadOnlySpan<(string Name, object Value)> parameters)
    {
        SqliteCommand command = connection.CreateCommand();
        command.CommandText = text;
        foreach ((string name, object value) in parameters)
            command.Parameters.AddWithValue(name, value);
        return command;
    }

    public static void Execute(SqliteConnection connection, string text, params ReadOnlySpan<(string Name, object Value)> parameters)
    {
        using SqliteCommand command = Command(connection, text, parameters);
        command.ExecuteNonQuery();
    }

    public static object? Scalar(SqliteConnection connection, string text)
    {
        using SqliteCommand command = Command(connection, text);
        return command.ExecuteScalar();
    }

    /// <summary>What SQLite's refusal means for whoever runs the store.</summary>
    /// <param name="what">What could not be done.</param>
    /// <param name="exception">The refusal.</param>
    public static StoreUnavailableException Unavailable(string what, SqliteException exception) => new(
        exception.SqliteErrorCode switch
        {
            13 => $"{what}: the disk is full. Free some space; nothing that was acknowledged is lost.",
            14 => $"{what}: the file or its folder does not exist or may not be opened.",
            26 => $"{what}: the file is not a SQLite database.",
            11 => $"{what}: the file is damaged. Restore it from a backup.",
            _ => $"{what}: {exception.Message}",
        },
        exception)
    {
        // Busy: it did not begin. Full: it was rolled back. After any other failure of a commit only reopening tells.
        HadNoEffect = exception.SqliteErrorCode is 5 or 13,
    };

    private static void Upgrade(SqliteConnection connection)
    {
        // In one transaction: a file is in one form or the other, whatever happens.
        using SqliteTransaction upgrade = connection.BeginTransaction(deferred: false);
        Execute(connection, """
            CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
            CREATE TABLE IF NOT EXISTS entries (
                key TEXT PRIMARY KEY COLLATE BINARY, value BLOB NOT NULL,
                create_revision INTEGER NOT NULL, mod_revision INTEGER NOT NULL, version INTEGER NOT NULL) WITHOUT ROWID;
            CREATE TABLE IF NOT EXISTS history (
                revision INTEGER NOT NULL, position INTEGER NOT NULL, key TEXT NOT NULL COLLATE BINARY,
                value BLOB, create_revision INTEGER, version INTEGER, PRIMARY KEY (revision, position)) WITHOUT ROWID;
            INSERT OR IGNORE INTO meta VALUES ('revision', 0), ('oldest', 1);
            ALTER TABLE entries ADD COLUMN lease INTEGER NOT NULL DEFAULT 0;
            ALTER TABLE history ADD COLUMN lease INTEGER NOT NULL DEFAULT 0;
            CREATE INDEX entries_by_lease ON entries (lease) WHERE lease <> 0;
            CREATE TABLE leases (id INTEGER PRIMARY KEY, ttl_seconds INTEGER NOT NULL);
            """);
        Execute(connection, $"PRAGMA user_version = {Form}");
        upgrade.Commit();
    }

    private static SqliteConnection Open(string path, SqliteOpenMode mode)
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
}
