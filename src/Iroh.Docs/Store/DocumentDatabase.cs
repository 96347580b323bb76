using Microsoft.Data.Sqlite;

namespace Iroh.Docs.Store;

/// <summary>
/// The file of a <see cref="DiskDocumentStore"/>: opening it, its tables, and statements that are prepared once. One user at a time. Failures come out as
/// <see cref="DocumentStoreException"/>.
/// </summary>
internal sealed class DocumentDatabase : IDisposable
{
    // PRAGMA user_version of the tables below; 0 is a new file.
    private const long Form = 1;

    private const string Tables = """
        CREATE TABLE documents (id BLOB PRIMARY KEY, secret BLOB) WITHOUT ROWID;
        CREATE TABLE authors (id BLOB PRIMARY KEY, secret BLOB NOT NULL, is_default INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
        CREATE TABLE entries (
            document BLOB NOT NULL, author BLOB NOT NULL, key BLOB NOT NULL,
            timestamp INTEGER NOT NULL, length INTEGER NOT NULL, hash BLOB NOT NULL,
            author_signature BLOB NOT NULL, document_signature BLOB NOT NULL, fingerprint BLOB NOT NULL,
            PRIMARY KEY (document, author, key)) WITHOUT ROWID;
        CREATE INDEX entries_by_key ON entries (document, key, author);
        CREATE INDEX entries_by_hash ON entries (hash);
        CREATE TABLE heads (document BLOB NOT NULL, author BLOB NOT NULL, timestamp INTEGER NOT NULL, PRIMARY KEY (document, author)) WITHOUT ROWID;
        CREATE TABLE peers (document BLOB NOT NULL, peer BLOB NOT NULL, used INTEGER NOT NULL, PRIMARY KEY (document, peer)) WITHOUT ROWID;
        CREATE TABLE policies (document BLOB PRIMARY KEY, policy BLOB NOT NULL) WITHOUT ROWID;
        """;

    private readonly SqliteConnection _connection;
    private readonly string _path;

    // As many as there are different statements in this folder.
    private readonly Dictionary<string, SqliteCommand> _prepared = [];

    private DocumentDatabase(SqliteConnection connection, string path)
    {
        _connection = connection;
        _path = path;
    }

    /// <summary>Opens the file, or makes it.</summary>
    /// <exception cref="DocumentStoreException">It cannot be opened, is no database, or a later version has written it.</exception>
    internal static DocumentDatabase Open(string path)
    {
        // Pooling would keep the file open after Dispose.
        var settings = new SqliteConnectionStringBuilder { DataSource = path, Mode = SqliteOpenMode.ReadWriteCreate, Pooling = false };
        var connection = new SqliteConnection(settings.ToString());
        var database = new DocumentDatabase(connection, path);
        try
        {
            database.Guard(() =>
            {
                connection.Open();
                database.Prepare();
                return 0;
            });
            return database;
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    /// <summary>Does something in one transaction: all of it is safe on the disk afterwards, or nothing has happened.</summary>
    internal T Transact<T>(Func<T> work) => Guard(() =>
    {
        Run("BEGIN IMMEDIATE");
        try
        {
            T result = work();
            Run("COMMIT");
            return result;
        }
        catch
        {
            // A full disk has rolled back by itself.
            if (SQLitePCL.raw.sqlite3_get_autocommit(_connection.Handle) == 0)
                Run("ROLLBACK");
            throw;
        }
    });

    /// <summary>Runs a statement.</summary>
    /// <param name="text">With parameters <c>$1</c>, <c>$2</c> and so on; the same text every time.</param>
    /// <param name="values">Byte arrays, longs or <see cref="DBNull"/>.</param>
    /// <returns>Number of rows that it changed.</returns>
    internal int Run(string text, params ReadOnlySpan<object> values) => Bind(text, values).ExecuteNonQuery();

    /// <summary>Reads all rows of a statement.</summary>
    internal List<T> Read<T>(string text, Func<SqliteDataReader, T> row, params ReadOnlySpan<object> values)
    {
        var rows = new List<T>();
        using SqliteDataReader reader = Bind(text, values).ExecuteReader();
        while (reader.Read())
            rows.Add(row(reader));
        return rows;
    }

    /// <summary>Folds all rows of a statement into one value.</summary>
    internal T Fold<T>(string text, T start, Func<T, SqliteDataReader, T> step, params ReadOnlySpan<object> values)
    {
        using SqliteDataReader reader = Bind(text, values).ExecuteReader();
        while (reader.Read())
            start = step(start, reader);
        return start;
    }

    /// <summary>Says SQLite's refusals in words.</summary>
    internal T Guard<T>(Func<T> work)
    {
        try
        {
            return work();
        }
        catch (SqliteException exception)
        {
            throw new DocumentStoreException(
                exception.SqliteErrorCode switch
                {
                    8 => $"The documents in {_path} cannot be written: the file or its folder may only be read.",
                    11 => $"The documents in {_path} are damaged. Restore the file from a backup, or remove it and sync again.",
                    13 => $"The documents in {_path} cannot be written: the disk is full. Free some space; nothing that was stored is lost.",
                    14 => $"The documents in {_path} cannot be opened: the file or its folder does not exist or may not be opened.",
                    26 => $"{_path} is not a file with documents.",
                    _ => $"The documents in {_path} cannot be read or written: {exception.Message}",
                },
                exception);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (SqliteCommand command in _prepared.Values)
            command.Dispose();
        _connection.Dispose();
    }

    private void Prepare()
    {
        Run("PRAGMA journal_mode = WAL");
        // With less, the last transactions would be gone after a loss of power.
        Run("PRAGMA synchronous = FULL");
        long form = Fold("PRAGMA user_version", 0L, static (_, row) => row.GetInt64(0));
        if (form > Form)
        {
            throw new DocumentStoreException(
                $"The documents in {_path} have form {form}; this version reads up to {Form}. Use the version that wrote them.");
        }

        if (form == Form)
            return;
        using SqliteTransaction creation = _connection.BeginTransaction(deferred: false);
        using SqliteCommand tables = _connection.CreateCommand();
        tables.Transaction = creation;
        tables.CommandText = $"{Tables} PRAGMA user_version = {Form};";
        tables.ExecuteNonQuery();
        creation.Commit();
    }

    private SqliteCommand Bind(string text, ReadOnlySpan<object> values)
    {
        if (!_prepared.TryGetValue(text, out SqliteCommand? command))
        {
            command = _connection.CreateCommand();
            command.CommandText = text;
            for (int i = 0; i < values.Length; i++)
                command.Parameters.AddWithValue($"${i + 1}", DBNull.Value);
            _prepared.Add(text, command);
        }

        for (int i = 0; i < values.Length; i++)
            command.Parameters[i].Value = values[i];
        return command;
    }
}
