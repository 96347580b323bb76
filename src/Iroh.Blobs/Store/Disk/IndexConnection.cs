using Microsoft.Data.Sqlite;

namespace Iroh.Blobs.Store.Disk;

/// <summary>A connection to the database of a store, with its tables and its prepared statements. One user at a time.</summary>
internal sealed class IndexConnection : IDisposable
{
    // PRAGMA user_version of the tables below; 0 is a new file.
    private const long Form = 1;

    private readonly SqliteConnection _connection;
    private readonly Dictionary<string, SqliteCommand> _commands = [];

    private IndexConnection(SqliteConnection connection) => _connection = connection;

    public static IndexConnection OpenWriter(string path, bool flushesToDisk)
    {
        IndexConnection? index = null;
        try
        {
            index = new IndexConnection(Open(path));
            index.Run("PRAGMA journal_mode = WAL");
            index.Run(flushesToDisk ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = OFF");
            long form = index.Query("PRAGMA user_version", static row => row.GetInt64(0)).Single();
            if (form > Form)
                throw new BlobStoreException($"the index {path} has form {form}; this version reads up to {Form}: use the version that wrote it");
            if (form < Form)
                index.InTransaction(index.CreateTables);
            if (index.Query("PRAGMA quick_check(1)", static row => row.GetString(0)).Single() is not "ok" and var wrong)
                throw new BlobStoreException(DamagedMessage(path, wrong));
            return index;
        }
        catch (SqliteException e)
        {
            index?.Dispose();
            throw Failed(path, e);
        }
        catch (BlobStoreException)
        {
            index?.Dispose();
            throw;
        }
    }

    public static IndexConnection OpenReader(string path) => new(Open(path));

    /// <summary>What SQLite's refusal means for whoever runs the store.</summary>
    public static BlobStoreException Failed(string path, SqliteException exception) => exception.SqliteErrorCode switch
    {
        13 => new StoreFullException($"no room in the index {path}: its disk is full; free some space, then go on", exception),
        11 or 26 => new BlobStoreException(DamagedMessage(path, exception.Message), exception),
        _ => new BlobStoreException($"the index {path} failed: {exception.Message}", exception),
    };

    /// <summary>Runs a statement.</summary>
    /// <param name="statement">With parameters <c>$1</c>, <c>$2</c>, …</param>
    /// <param name="values">Their values in order; null is NULL.</param>
    /// <returns>Rows that changed.</returns>
    public int Run(string statement, params ReadOnlySpan<object?> values) => Prepare(statement, values).ExecuteNonQuery();

    /// <summary>Runs a query to its end.</summary>
    public List<T> Query<T>(string statement, Func<SqliteDataReader, T> read, params ReadOnlySpan<object?> values)
    {
        using SqliteDataReader reader = Prepare(statement, values).ExecuteReader();
        var rows = new List<T>();
        while (reader.Read())
            rows.Add(read(reader));
        return rows;
    }

    public void InTransaction(Action run)
    {
        Run("BEGIN IMMEDIATE");
        try
        {
            run();
            Run("COMMIT");
        }
        catch
        {
            try
            {
                Run("ROLLBACK");
            }
            catch (SqliteException)
            {
                // It was rolled back by the failure itself.
            }

            throw;
        }
    }

    public void Dispose()
    {
        foreach (SqliteCommand command in _commands.Values)
            command.Dispose();
        _connection.Dispose();
    }

    private static string DamagedMessage(string path, string what) =>
        $"the index {path} is damaged ({what}); restore it from a backup, or move it away and open the store again: blobs that have files are "
        + "then found and hashed, small ones and tags are lost";

    private static SqliteConnection Open(string path)
    {
        // Pooling would keep the file open after Dispose.
        var settings = new SqliteConnectionStringBuilder { DataSource = path, Mode = SqliteOpenMode.ReadWriteCreate, Pooling = false, DefaultTimeout = 30 };
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

    private SqliteCommand Prepare(string statement, ReadOnlySpan<object?> values)
    {
        if (!_commands.TryGetValue(statement, out SqliteCommand? command))
        {
            command = _connection.CreateCommand();
            command.CommandText = statement;
            _commands.Add(statement, command);
        }

        command.Parameters.Clear();
        for (int i = 0; i < values.Length; i++)
            command.Parameters.AddWithValue($"${i + 1}", values[i] ?? DBNull.Value);
        return command;
    }

    private void CreateTables()
    {
        Run("""
            CREATE TABLE blobs (
                hash BLOB PRIMARY KEY, size INTEGER NOT NULL, content INTEGER NOT NULL, outboard INTEGER NOT NULL,
                path TEXT, modified INTEGER) WITHOUT ROWID
            """);
        Run("CREATE TABLE contents (hash BLOB PRIMARY KEY, bytes BLOB NOT NULL)");
        Run("CREATE TABLE outboards (hash BLOB PRIMARY KEY, bytes BLOB NOT NULL)");
        Run("CREATE TABLE tags (name TEXT PRIMARY KEY COLLATE BINARY, hash BLOB NOT NULL, format INTEGER NOT NULL) WITHOUT ROWID");
        Run("CREATE TABLE removals (hash BLOB PRIMARY KEY) WITHOUT ROWID");
        Run($"PRAGMA user_version = {Form}");
    }
}
