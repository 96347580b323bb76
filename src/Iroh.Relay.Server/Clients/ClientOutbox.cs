using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Iroh.Relay.Protocol;
using Iroh.Relay.Server.Metrics;
using Iroh.Relay.Server.WebSockets;
using Iroh.Relay.WebSockets;

namespace Iroh.Relay.Server.Clients;

/// <summary>
/// What is to be written to one client: pongs first, then words about the connection, then packets in turn between their sources.
/// Thread-safe. Whoever has put something in calls <see cref="StartWriting"/>; one thread at a time writes, and none while there is
/// nothing to write, so that an idle client costs no thread, task or buffer.
/// </summary>
/// <param name="writer">The way to the client. Nobody else writes while this lives.</param>
/// <param name="counters">Counts what is sent and dropped.</param>
/// <param name="clock">The time since the relay's start.</param>
internal sealed class ClientOutbox(PipeWriter writer, RelayCounters counters, Func<TimeSpan> clock) : IThreadPoolWorkItem
{
    /// <summary>Pongs that wait; the answers to older pings are dropped, for a client that pings faster than it reads.</summary>
    public const int PongsMax = 16;

    /// <summary>
    /// Words that wait: mostly that endpoints have gone. More than that many at once means that a client does not read; it finds out by
    /// itself.
    /// </summary>
    public const int WordsMax = 1024;

    // What is written between two flushes: a pipe takes 64 KiB before it pushes back.
    private const int BatchBytes = 32 * 1024;

    // After so many the thread goes to somebody else: it may be one that reads from another client.
    private const int BatchesMax = 4;

    private const long NotWaiting = -1;

    private readonly Lock _lock = new();
    private FairQueue? _packets;
    private Queue<ulong>? _pongs;
    private Queue<byte[]>? _words;
    private byte[]? _lastWords;
    private bool _isWriting;
    private bool _isFinishing;
    private bool _isClosed;
    private TaskCompletionSource? _rest;
    private long _waitingSince = NotWaiting;
    private ConfiguredValueTaskAwaitable<FlushResult>.ConfiguredValueTaskAwaiter _flush;
    private Action? _onFlushed;

    /// <summary>Since when the client takes nothing; null while it does, or there is nothing to take.</summary>
    public TimeSpan? WaitingSince => Volatile.Read(ref _waitingSince) is var ticks and not NotWaiting ? new TimeSpan(ticks) : null;

    /// <summary>Adds a packet, which is the outbox's from now on.</summary>
    /// <param name="source">Who sent it, told apart by reference.</param>
    /// <param name="packet">The packet.</param>
    /// <returns>False if it was dropped.</returns>
    public bool Enqueue(object source, OutgoingPacket packet)
    {
        bool isTaken = false;
        int dropped = 1;
        lock (_lock)
        {
            if (!_isFinishing)
                isTaken = (_packets ??= new FairQueue()).Enqueue(source, packet, out dropped);
            else
                packet.Return();
        }

        RelayCounters.Add(ref counters.PacketsDropped, dropped);
        return isTaken;
    }

    /// <summary>Adds the answer to a ping.</summary>
    public void EnqueuePong(ulong data)
    {
        lock (_lock)
        {
            if (_isFinishing)
                return;
            _pongs ??= new Queue<ulong>();
            if (_pongs.Count == PongsMax)
                _pongs.Dequeue();
            _pongs.Enqueue(data);
        }
    }

    /// <summary>Adds a short message, WebSocket header included.</summary>
    public void EnqueueWords(byte[] message)
    {
        lock (_lock)
        {
            _words ??= new Queue<byte[]>();
            if (!_isFinishing && _words.Count < WordsMax)
                _words.Enqueue(message);
        }
    }

    /// <summary>Writes what waits, unless somebody does so already.</summary>
    /// <param name="onThisThread">Begins here and now, as far as the client takes it; else on a thread of the pool.</param>
    public void StartWriting(bool onThisThread)
    {
        lock (_lock)
        {
            if (_isWriting || _isClosed)
                return;
            _isWriting = true;
        }

        if (onThisThread)
            Write();
        else
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    /// <summary>Writes what waits, then last words, and takes nothing more.</summary>
    /// <param name="lastWords">A whole message, WebSocket header included.</param>
    /// <returns>Ends when all is written, or the connection is broken.</returns>
    public Task FinishAsync(byte[] lastWords)
    {
        lock (_lock)
        {
            if (!_isFinishing)
            {
                _isFinishing = true;
                _lastWords = lastWords;
            }
        }

        StartWriting(onThisThread: true);
        return RestAsync();
    }

    /// <summary>Drops what waits and takes nothing more.</summary>
    /// <returns>Ends when nobody writes any more: then the way may be closed.</returns>
    public Task CloseAsync()
    {
        lock (_lock)
            Close();
        return RestAsync();
    }

    void IThreadPoolWorkItem.Execute() => Write();

    private Task RestAsync()
    {
        lock (_lock)
        {
            if (!_isWriting)
                return Task.CompletedTask;
            _rest ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _rest.Task;
        }
    }

    private void Write()
    {
        for (int batch = 0; batch < BatchesMax; batch++)
        {
            ValueTask<FlushResult> flush;
            try
            {
                if (!TryFill())
                    return;
                flush = writer.FlushAsync();
            }
            catch (Exception exception) when (IsBrokenConnection(exception))
            {
                Break();
                return;
            }

            if (!flush.IsCompletedSuccessfully)
            {
                Volatile.Write(ref _waitingSince, clock().Ticks);
                _flush = flush.ConfigureAwait(false).GetAwaiter();
                _flush.UnsafeOnCompleted(_onFlushed ??= OnFlushed);
                return;
            }

            if (flush.Result.IsCompleted)
            {
                Break();
                return;
            }
        }

        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    // Instead of an async method, which would allocate at each stop of the way.
    private void OnFlushed()
    {
        bool isBroken;
        try
        {
            isBroken = _flush.GetResult().IsCompleted;
        }
        catch (Exception exception) when (IsBrokenConnection(exception))
        {
            isBroken = true;
        }

        Volatile.Write(ref _waitingSince, NotWaiting);
        if (isBroken)
            Break();
        else
            Write();
    }

    /// <summary>Puts a batch into the pipe.</summary>
    /// <returns>False if there was nothing: then nobody writes any more.</returns>
    private bool TryFill()
    {
        int written = 0, packets = 0, pongs = 0;
        long payload = 0;
        while (written < BatchBytes)
        {
            OutgoingPacket packet = default;
            byte[]? words = null;
            ulong pong = 0;
            bool isPong = false;
            lock (_lock)
            {
                if (_pongs is not null && _pongs.TryDequeue(out pong))
                    isPong = true;
                else if ((_words is null || !_words.TryDequeue(out words)) && (_packets is null || !_packets.TryDequeue(out packet)))
                    (words, _lastWords) = (_lastWords, null);
                if (!isPong && words is null && packet.Buffer is null)
                {
                    if (written == 0)
                    {
                        Rest();
                        return false;
                    }

                    break;
                }
            }

            if (isPong)
            {
                written += WritePong(pong);
                pongs++;
            }
            else if (words is not null)
            {
                Put(words);
                written += words.Length;
            }
            else
            {
                Put(packet.Span);
                written += packet.Length;
                payload += packet.PayloadLength;
                packets++;
                packet.Return();
            }
        }

        RelayCounters.Add(ref counters.PongsSent, pongs);
        RelayCounters.Add(ref counters.PacketsSent, packets);
        RelayCounters.Add(ref counters.BytesSent, payload);
        return true;
    }

    private int WritePong(ulong data)
    {
        Span<byte> message = stackalloc byte[WebSocketFrameHeader.ServerLengthMax + RelayFrame.PingLength];
        Span<byte> frame = message[WebSocketFrameHeader.ServerLengthMax..];
        RelayFrameWriter.WritePong(frame, data);
        int header = WebSocketFrameHeader.WriteBefore(message[..WebSocketFrameHeader.ServerLengthMax], WebSocketOpcode.Binary, frame.Length);
        Span<byte> whole = message[(WebSocketFrameHeader.ServerLengthMax - header)..];
        Put(whole);
        return whole.Length;
    }

    // Pieces of the pipe's own size: a longer request would get a buffer of its own, outside the pool.
    private void Put(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            Span<byte> room = writer.GetSpan();
            int length = Math.Min(room.Length, bytes.Length);
            bytes[..length].CopyTo(room);
            writer.Advance(length);
            bytes = bytes[length..];
        }
    }

    private void Break()
    {
        lock (_lock)
        {
            Close();
            Rest();
        }
    }

    /// <summary>Within the lock.</summary>
    private void Close()
    {
        _isClosed = true;
        _isFinishing = true;
        _lastWords = null;
        _packets?.Clear();
        _pongs = null;
        _words?.Clear();
    }

    /// <summary>Within the lock.</summary>
    private void Rest()
    {
        _isWriting = false;
        _rest?.TrySetResult();
        _rest = null;
    }

    // A stream below TLS throws; a pipe of a plain connection says that it is completed.
    private static bool IsBrokenConnection(Exception exception) =>
        exception is IOException or OperationCanceledException or InvalidOperationException or ObjectDisposedException;
}
