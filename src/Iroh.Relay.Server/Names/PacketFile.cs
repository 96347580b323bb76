using System.Threading.Channels;
using Iroh.Base;
using Iroh.Dns.Pkarr;
using Microsoft.Data.Sqlite;

namespace Iroh.Relay.Server.Names;

/// <summary>
/// Keeps packets in an SQLite file with a write-ahead log: a process that is killed loses nothing that was acknowledged. Writes
/// that wait at the same time share one commit. Thread-safe.
/// </summary>
internal sealed class PacketFile : IAsyncDisposable
{
    // Writers wait when this many wait already; HTTP requests are bounded by the server before them.
    private const int WritesWaitingMax = 1024;

    private readonly SqliteConnection _connection;
    private readonly Channel<Write> _writes = Channel.CreateBounded<Write>(new BoundedChannelOptions(WritesWaitingMax) { SingleReader = true });
    private readonly Task _loop;

    private PacketFile(SqliteConnection connection)
    {
        _connection = connection;
        _loop = Task.Run(RunAsync);
    }

    /// <summary>Opens or creates the file.</summary>
    /// <exception cref="NameServerException">It cannot be used.</exception>
    public static PacketFile Open(string path)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Pooling = false }.ToString());
        try
        {
            connection.Open();
            Execute(connection, "PRAGMA journal_mode = WAL");
            Execute(connection, "PRAGMA synchronous = NORMAL");
            Execute(
                connection,
                "CREATE TABLE IF NOT EXISTS packets (id BLOB PRIMARY KEY, arrived_at INTEGER NOT NULL, payload BLOB NOT NULL) WITHOUT ROWID");
            return new PacketFile(connection);
        }
        catch (SqliteException exception)
        {
            connection.Dispose();
            throw new NameServerException(
                $"The name server's database {path} cannot be used: {exception.Message} Check that its folder exists and is writable, and that no other server uses it.",
                exception);
        }
    }

    /// <summary>The newest packets that arrived after a time, in the order of their arrival. Called before the first write.</summary>
    /// <param name="after">Older ones are left out.</param>
    /// <param name="countMax">The most that are read.</param>
    public IReadOnlyList<(PkarrPacket Packet, DateTimeOffset ArrivedAt)> Load(DateTimeOffset after, int countMax)
    {
        var rows = new List<(byte[] Id, long ArrivedAt, byte[] Payload)>();
        using (SqliteCommand command = _connection.CreateCommand())
        {
            command.CommandText = "SELECT id, arrived_at, payload FROM packets WHERE arrived_at > $after ORDER BY arrived_at DESC LIMIT $count";
            command.Parameters.AddWithValue("$after", after.ToUnixTimeMilliseconds());
            command.Parameters.AddWithValue("$count", countMax);
            using SqliteDataReader reader = command.ExecuteReader();
            while (reader.Read())
                rows.Add((reader.GetFieldValue<byte[]>(0), reader.GetInt64(1), reader.GetFieldValue<byte[]>(2)));
        }

        // Checking signatures is what takes the time.
        rows.Reverse();
        return
        [
            .. rows.AsParallel().AsOrdered()
                .Select(row => (Packet: Read(row.Id, row.Payload), DateTimeOffset.FromUnixTimeMilliseconds(row.ArrivedAt)))
                .Where(row => row.Packet is not null)!,
        ];
    }

    /// <summary>Writes a packet over an older one of its endpoint. Completes once it is safe from the death of the process.</summary>
    /// <exception cref="SqliteException">The disk is full or broken.</exception>
    public Task SaveAsync(PkarrPacket packet, DateTimeOffset arrivedAt) =>
        WriteAsync(
            connection =>
            {
                // Two packets of one endpoint may have overtaken each other on the way here: the timestamp behind the signature decides.
                using SqliteCommand command = connection.CreateCommand();
                command.CommandText =
                    "INSERT INTO packets (id, arrived_at, payload) VALUES ($id, $arrived, $payload) "
                    + "ON CONFLICT (id) DO UPDATE SET arrived_at = excluded.arrived_at, payload = excluded.payload "
                    + "WHERE substr(excluded.payload, 65, 8) >= substr(packets.payload, 65, 8)";
                command.Parameters.AddWithValue("$id", packet.Id.Span.ToArray());
                command.Parameters.AddWithValue("$arrived", arrivedAt.ToUnixTimeMilliseconds());
                command.Parameters.AddWithValue("$payload", packet.Payload.ToArray());
                command.ExecuteNonQuery();
            },
            CancellationToken.None);

    /// <summary>Deletes what arrived before a time, and of the rest all but the newest.</summary>
    public Task TrimAsync(DateTimeOffset before, int countMax, CancellationToken cancellationToken) =>
        WriteAsync(
            connection =>
            {
                using SqliteCommand command = connection.CreateCommand();
                command.CommandText =
                    "DELETE FROM packets WHERE arrived_at <= $before OR id IN (SELECT id FROM packets ORDER BY arrived_at DESC LIMIT -1 OFFSET $count)";
                command.Parameters.AddWithValue("$before", before.ToUnixTimeMilliseconds());
                command.Parameters.AddWithValue("$count", countMax);
                command.ExecuteNonQuery();
            },
            cancellationToken);

    /// <summary>Writes what waits and closes the file.</summary>
    public async ValueTask DisposeAsync()
    {
        _writes.Writer.TryComplete();
        await _loop.ConfigureAwait(false);
        await _connection.DisposeAsync().ConfigureAwait(false);
    }

    private static PkarrPacket? Read(byte[] idBytes, byte[] payload) =>
        EndpointId.TryFromBytes(idBytes, out EndpointId id) && PkarrPacket.TryRead(id, payload, out PkarrPacket? packet, out _) ? packet : null;

    private static void Execute(SqliteConnection connection, string text)
    {
        using SqliteCommand command = connection.CreateCommand();
#pragma warning disable CA2100 // Constants of this class.
        command.CommandText = text;
#pragma warning restore CA2100
        command.ExecuteNonQuery();
    }

    private async Task WriteAsync(Action<SqliteConnection> work, CancellationToken cancellationToken)
    {
        var write = new Write(work, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        await _writes.Writer.WriteAsync(write, cancellationToken).ConfigureAwait(false);
        await write.Done.Task.ConfigureAwait(false);
    }

    private async Task RunAsync()
    {
        var batch = new List<Write>();
        while (await _writes.Reader.WaitToReadAsync().ConfigureAwait(false))
        {
            while (batch.Count < WritesWaitingMax && _writes.Reader.TryRead(out Write write))
                batch.Add(write);
            Commit(batch);
            batch.Clear();
        }
    }

    private void Commit(List<Write> batch)
    {
        try
        {
            using (SqliteTransaction transaction = _connection.BeginTransaction())
            {
                foreach (Write write in batch)
                    write.Work(_connection);
                transaction.Commit();
            }

            batch.ForEach(write => write.Done.SetResult());
        }
        catch (SqliteException exception)
        {
            batch.ForEach(write => write.Done.TrySetException(exception));
        }
    }

    private readonly record struct Write(Action<SqliteConnection> Work, TaskCompletionSource Done);
}
