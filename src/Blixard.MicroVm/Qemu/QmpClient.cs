using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.Channels;

namespace Blixard.MicroVm.Qemu;

/// <summary>
/// A connection to QEMU's machine protocol. Commands may be sent from any thread and are matched to their answers by id; events come
/// as a stream with one reader.
/// </summary>
internal sealed class QmpClient : IAsyncDisposable
{
    /// <summary>The longest line in bytes that is taken: the answers to what is asked here are below 10 KiB.</summary>
    public const int LineLengthMax = 256 * 1024;

    /// <summary>Events kept for a slow reader; the oldest go. A guest sends a handful in its life.</summary>
    private const int EventsMax = 256;

    private readonly Stream _stream;
    private readonly Channel<QmpMessage.Event> _events = Channel.CreateBounded<QmpMessage.Event>(
        new BoundedChannelOptions(EventsMax) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true, SingleWriter = true });
    private readonly Dictionary<long, TaskCompletionSource<JsonElement>> _pending = [];
    private readonly SemaphoreSlim _sending = new(1, 1);
    private readonly CancellationTokenSource _stopping = new();
    private Task _reading = Task.CompletedTask;
    private QmpException? _closed;
    private long _lastId;

    private QmpClient(Stream stream)
    {
        _stream = stream;
    }

    /// <summary>QEMU's version, such as 7.2.22.</summary>
    public string Version { get; private set; } = "";

    /// <summary>Events in order. Completes when the connection has ended.</summary>
    public IAsyncEnumerable<QmpMessage.Event> ReadEventsAsync(CancellationToken cancellationToken) =>
        _events.Reader.ReadAllAsync(cancellationToken);

    /// <summary>Connects to the socket at <paramref name="path"/> and negotiates (QMP specification §4).</summary>
    /// <exception cref="SocketException">Nobody listens there.</exception>
    /// <exception cref="QmpException">It is no QMP server, or it hung up.</exception>
    public static async Task<QmpClient> ConnectAsync(string path, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            socket.Dispose();
            throw;
        }

        return await NegotiateAsync(new NetworkStream(socket, ownsSocket: true), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Negotiates over <paramref name="stream"/>, which belongs to the client from now on.</summary>
    public static async Task<QmpClient> NegotiateAsync(Stream stream, CancellationToken cancellationToken)
    {
        var client = new QmpClient(stream);
        try
        {
            var greeted = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
            client._reading = client.ReadAsync(greeted);
            client.Version = await greeted.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
            await client.ExecuteAsync("qmp_capabilities", null, cancellationToken).ConfigureAwait(false);
            return client;
        }
        catch
        {
            await client.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Executes a command and returns its result.</summary>
    /// <exception cref="QmpException">Refused, or the connection ended.</exception>
    public async Task<JsonElement> ExecuteAsync(string command, JsonObject? arguments, CancellationToken cancellationToken)
    {
        var answer = new TaskCompletionSource<JsonElement>(TaskCreationOptions.RunContinuationsAsynchronously);
        long id;
        lock (_pending)
        {
            if (_closed is { } closed)
                throw new QmpException(closed.Failure, closed.Message);
            id = ++_lastId;
            _pending.Add(id, answer);
        }

        try
        {
            await _sending.WaitAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                // A half-written command would spoil the connection, so writing is not cancelled.
                await _stream.WriteAsync(QmpMessage.WriteCommand(id, command, arguments), _stopping.Token).ConfigureAwait(false);
            }
            catch (Exception e) when (e is IOException or ObjectDisposedException or OperationCanceledException)
            {
                throw new QmpException(QmpFailure.Closed, "the QMP connection ended", e);
            }
            finally
            {
                _sending.Release();
            }

            return await answer.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            lock (_pending)
                _pending.Remove(id);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _stream.DisposeAsync().ConfigureAwait(false);
        await _reading.ConfigureAwait(false);
    }

    private async Task ReadAsync(TaskCompletionSource<string> greeted)
    {
        QmpException reason;
        try
        {
            reason = await ReadLinesAsync(greeted).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or OperationCanceledException or SocketException)
        {
            reason = new QmpException(QmpFailure.Closed, "the QMP connection ended", e);
        }

        TaskCompletionSource<JsonElement>[] waiting;
        lock (_pending)
        {
            _closed = reason;
            waiting = [.. _pending.Values];
            _pending.Clear();
        }

        await _stopping.CancelAsync().ConfigureAwait(false);
        foreach (TaskCompletionSource<JsonElement> answer in waiting)
            answer.TrySetException(reason);
        if (!greeted.TrySetException(reason))
            _ = greeted.Task;
        _events.Writer.TryComplete();
    }

    private async Task<QmpException> ReadLinesAsync(TaskCompletionSource<string> greeted)
    {
        byte[] buffer = new byte[4096];
        int filled = 0;
        while (true)
        {
            int count = await _stream.ReadAsync(buffer.AsMemory(filled), _stopping.Token).ConfigureAwait(false);
            if (count == 0)
                return new QmpException(QmpFailure.Closed, "QEMU closed the QMP connection");
            int scanned = filled;
            filled += count;
            int start = 0;
            while (buffer.AsSpan(scanned, filled - scanned).IndexOf((byte)'\n') is var found and >= 0)
            {
                int end = scanned + found;
                if (Handle(buffer.AsMemory(start, end - start), greeted) is { } fault)
                    return new QmpException(QmpFailure.Protocol, "not the QEMU machine protocol: " + fault);
                start = scanned = end + 1;
            }

            buffer.AsSpan(start, filled - start).CopyTo(buffer);
            filled -= start;
            if (filled == LineLengthMax)
                return new QmpException(QmpFailure.Protocol, $"a QMP line is longer than {LineLengthMax} bytes");
            if (filled == buffer.Length)
                Array.Resize(ref buffer, Math.Min(buffer.Length * 2, LineLengthMax));
        }
    }

    private string? Handle(ReadOnlyMemory<byte> line, TaskCompletionSource<string> greeted)
    {
        if (line.Span.Trim(" \r\t"u8).IsEmpty)
            return null;
        QmpMessage? message = QmpMessage.TryParse(line, out string fault);
        if (!greeted.Task.IsCompleted && message is not QmpMessage.Greeting)
            return "no greeting";
        switch (message)
        {
            case null:
                return fault;
            case QmpMessage.Greeting greeting:
                greeted.TrySetResult(greeting.Version);
                break;
            case QmpMessage.Event happened:
                _events.Writer.TryWrite(happened);
                break;
            case QmpMessage.Return result:
                Pending(result.Id)?.TrySetResult(result.Value);
                break;
            case QmpMessage.Error { Id: { } id } error:
                Pending(id)?.TrySetException(new QmpException(QmpFailure.Command, $"{error.Description} ({error.Class})"));
                break;
            case QmpMessage.Error error:
                return error.Description;
        }

        return null;
    }

    private TaskCompletionSource<JsonElement>? Pending(long id)
    {
        lock (_pending)
            return _pending.GetValueOrDefault(id);
    }
}
