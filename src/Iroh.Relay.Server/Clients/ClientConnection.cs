using System.Buffers;
using System.IO.Pipelines;
using Iroh.Base;
using Iroh.Relay.Protocol;
using Iroh.Relay.Server.Access;
using Iroh.Relay.Server.Metrics;
using Iroh.Relay.Server.WebSockets;
using Iroh.Relay.WebSockets;

namespace Iroh.Relay.Server.Clients;

/// <summary>
/// One connection that was let in: reads its frames and forwards its datagrams. One loop reads; others reach it through
/// <see cref="Outbox"/> and the methods that say so.
/// </summary>
internal sealed class ClientConnection
{
    /// <summary>The longest message that is read: the longest frame with the longest way to write its type.</summary>
    public const int MessageMax = RelayFrame.BodyLengthMax + sizeof(ulong);

    // After so many bytes without a pause the thread reads for somebody else.
    private const int TurnBytes = 256 * 1024;

    // Destinations of one read that are written to together afterwards; beyond these each is written to by another thread.
    private const int TouchedMax = 16;

    // How long a client may take to answer our close frame with its own.
    private static readonly TimeSpan s_closeLimit = TimeSpan.FromSeconds(2);

    private readonly ClientRegistry<ClientConnection> _registry;
    private readonly RelayCounters _counters;
    private readonly Func<TimeSpan> _clock;
    private readonly TimeProvider _time;
    private readonly RelayTransport _transport;
    private readonly RelayVersion _version;
    private readonly ClientTimers _timers;
    private readonly TokenBucket? _bucket;
    private ClientGroup<ClientConnection>? _group;
    private ClientGroup<ClientConnection>? _destination;
    private ClientOutbox[]? _touched;
    private int _touchedCount;
    private bool _wasLimited;
    private long _closingSince = long.MaxValue;
    private long _packetsReceived;
    private long _bytesReceived;
    private long _packetsDropped;

    public ClientConnection(RelayParts parts, AccessRequest access, RelayVersion version, RelayTransport transport, TimeSpan jitter)
    {
        (_registry, _counters, _clock, _time) = (parts.Registry, parts.Counters, parts.Clock, parts.Time);
        (Access, _version, _transport) = (access, version, transport);
        _timers = new ClientTimers(jitter);
        _timers.OnReceived(_clock());
        _bucket = parts.ReceiveLimit is { } limit ? new TokenBucket(limit) : null;
        Outbox = new ClientOutbox(transport.Pipe.Output, parts.Counters, parts.Clock);
    }

    /// <summary>What it was let in with.</summary>
    public AccessRequest Access { get; }

    /// <summary>What is written to it.</summary>
    public ClientOutbox Outbox { get; }

    /// <summary>Why the client was dropped, in words; empty if it left by itself or the relay shuts down.</summary>
    public string DropReason { get; private set; } = "";

    /// <summary>Tells the client that it is let in, then reads and forwards until the connection ends; then nobody uses the transport any more.</summary>
    /// <param name="messages">May hold the beginning of a message that came with the handshake.</param>
    public async Task RunAsync(WebSocketMessageReader messages)
    {
        // The confirmation goes first, but only when others can send to this client: it may say at once where it is.
        Span<byte> confirmation = stackalloc byte[1];
        RelayHandshake.WriteServerConfirmsAuth(confirmation);
        Outbox.EnqueueWords(WebSocketFrameHeader.Encode(WebSocketOpcode.Binary, confirmation));
        _group = _registry.Add(Access.Id, this, out ClientConnection? displaced, out ClientConnection? surplus);
        if (displaced is not null)
        {
            RelayCounters.Count(ref _counters.InactiveAdded);
            displaced.Tell(RelayStatus.SameEndpointIdConnected);
        }

        surplus?.Abort("its id has too many connections");
        Outbox.StartWriting(onThisThread: true);
        WebSocketCloseCode closeCode;
        try
        {
            closeCode = await ReadAsync(messages).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException)
        {
            // The connection broke.
            closeCode = WebSocketCloseCode.Normal;
        }
        finally
        {
            Leave();
        }

        await Outbox.FinishAsync(WebSocketFrameHeader.EncodeClose(closeCode)).ConfigureAwait(false);
        await Outbox.CloseAsync().ConfigureAwait(false);
    }

    /// <summary>Does what is due. Called now and then, by one thread at a time.</summary>
    public void CheckTimers(TimeSpan now)
    {
        if (now.Ticks - s_closeLimit.Ticks >= Volatile.Read(ref _closingSince))
        {
            _transport.Abort();
            return;
        }

        switch (_timers.Check(now, Outbox.WaitingSince))
        {
            case ClientDue.Ping:
                Span<byte> ping = stackalloc byte[RelayFrame.PingLength];
                // What it says does not matter: one ping is under way at a time.
                RelayFrameWriter.WritePing(ping, (ulong)now.Ticks);
                Say(ping);
                break;
            case ClientDue.GivenUp when DropReason.Length == 0:
                RelayCounters.Count(ref _counters.GivenUp);
                Abort(Outbox.WaitingSince is null ? "it does not answer" : "it takes nothing of what is sent");
                break;
        }
    }

    /// <summary>Announces that the relay restarts. Thread-safe.</summary>
    public void AnnounceRestart(TimeSpan reconnectIn, TimeSpan tryFor)
    {
        Span<byte> frame = stackalloc byte[16];
        Say(frame[..RelayFrameWriter.WriteRestarting(frame, reconnectIn, tryFor)]);
    }

    /// <summary>
    /// Closes the connection in order: what waits is sent, then a close frame, and what the client has under way is still forwarded until
    /// it closes, too, or has taken too long. Thread-safe.
    /// </summary>
    public void Close(WebSocketCloseCode code)
    {
        if (Interlocked.CompareExchange(ref _closingSince, _clock().Ticks, long.MaxValue) == long.MaxValue)
            _ = Outbox.FinishAsync(WebSocketFrameHeader.EncodeClose(code));
    }

    /// <summary>Ends the connection at once. Thread-safe.</summary>
    public void Abort(string reason)
    {
        DropReason = reason;
        _transport.Abort();
    }

    private void Tell(RelayStatus status)
    {
        const string Duplicate = "Another endpoint connected with the same endpoint id. It receives what is sent to this id; this connection can still send.";
        const string Healthy = "The other endpoint with the same endpoint id has left. This connection is healthy again.";
        Span<byte> frame = stackalloc byte[256];
        int length = _version == RelayVersion.V2
            ? RelayFrameWriter.WriteStatus(frame, status)
            : RelayFrameWriter.WriteHealth(frame, status == RelayStatus.Healthy ? Healthy : Duplicate);
        Say(frame[..length]);
    }

    private void Say(ReadOnlySpan<byte> frame)
    {
        Outbox.EnqueueWords(WebSocketFrameHeader.Encode(WebSocketOpcode.Binary, frame));
        Outbox.StartWriting(onThisThread: false);
    }

    private async Task<WebSocketCloseCode> ReadAsync(WebSocketMessageReader messages)
    {
        PipeReader reader = _transport.Pipe.Input;
        long turn = 0;
        while (true)
        {
            ValueTask<ReadResult> reading = reader.ReadAsync();
            if (!reading.IsCompleted)
                turn = 0;
            ReadResult result = await reading.ConfigureAwait(false);
            ReadOnlySequence<byte> rest = result.Buffer;
            long available = rest.Length;
            WebSocketCloseCode? end = Process(messages, ref rest, out TimeSpan pause);
            turn += available - rest.Length;
            WriteToTouched();
            // What waits for the end of a pause has not been looked at: the way to here fills up, and the client has to wait.
            reader.AdvanceTo(rest.Start, pause > TimeSpan.Zero ? rest.Start : rest.End);
            if (end is { } code)
                return code;
            if (pause > TimeSpan.Zero)
                await Task.Delay(pause, _time, _transport.Aborted).ConfigureAwait(false);
            else if (result.IsCompleted)
                return WebSocketCloseCode.Normal;
            // After a pause, too: its pong may have waited outside.
            _timers.OnReceived(_clock());
            if (turn >= TurnBytes)
            {
                turn = 0;
                await Task.Yield();
            }
        }
    }

    /// <summary>Works on what came, up to the end, a reason to close, or a reason to pause.</summary>
    private WebSocketCloseCode? Process(WebSocketMessageReader messages, ref ReadOnlySequence<byte> input, out TimeSpan pause)
    {
        WebSocketCloseCode? end = null;
        pause = TimeSpan.Zero;
        while (end is null && pause == TimeSpan.Zero)
        {
            long before = input.Length;
            WebSocketReadResult result = messages.TryRead(ref input, out WebSocketMessage message);
            if (result == WebSocketReadResult.NeedsMore)
                break;
            end = result switch
            {
                WebSocketReadResult.Done => OnMessage(message),
                WebSocketReadResult.TooBig => OnViolation("a message is longer than any frame", WebSocketCloseCode.MessageTooBig),
                _ => OnViolation("its bytes are not WebSocket frames", WebSocketCloseCode.ProtocolError),
            };
            if (_bucket is not null)
                pause = TakeFrom(_bucket, before - input.Length);
        }

        RelayCounters.Add(ref _counters.PacketsReceived, _packetsReceived);
        RelayCounters.Add(ref _counters.BytesReceived, _bytesReceived);
        RelayCounters.Add(ref _counters.PacketsDropped, _packetsDropped);
        (_packetsReceived, _bytesReceived, _packetsDropped) = (0, 0, 0);
        return end;
    }

    private TimeSpan TakeFrom(TokenBucket bucket, long bytes)
    {
        TimeSpan pause = bucket.Take(_clock(), bytes);
        if (pause == TimeSpan.Zero)
            return pause;
        RelayCounters.Add(ref _counters.BytesRateLimited, bytes);
        if (!_wasLimited)
            RelayCounters.Count(ref _counters.ConnectionsRateLimited);
        _wasLimited = true;
        return pause;
    }

    private WebSocketCloseCode? OnMessage(WebSocketMessage message)
    {
        if (message.Opcode == WebSocketOpcode.Binary)
            return OnFrame(message);
        WebSocketCloseCode? end = null;
        switch (message.Opcode)
        {
            case WebSocketOpcode.Close:
                end = WebSocketCloseCode.Normal;
                break;
            case WebSocketOpcode.Ping:
                Outbox.EnqueueWords(WebSocketFrameHeader.Encode(WebSocketOpcode.Pong, message.Span));
                Touch(Outbox);
                break;
            case WebSocketOpcode.Text:
                RelayCounters.Count(ref _counters.UnexpectedMessages);
                break;
        }

        message.Return();
        return end;
    }

    private WebSocketCloseCode? OnFrame(WebSocketMessage message)
    {
        if (!RelayFrame.TryRead(message.Span, RelayRole.Client, _version, out RelayFrame frame, out RelayFrameError error))
        {
            message.Return();
            return OnViolation($"a frame is malformed: {error}", WebSocketCloseCode.ProtocolError);
        }

        if (frame.IsDatagram)
        {
            Forward(message, frame);
            return null;
        }

        if (frame.Type == RelayFrameType.Ping)
        {
            RelayCounters.Count(ref _counters.PingsReceived);
            Outbox.EnqueuePong(frame.PingData);
            Touch(Outbox);
        }
        else
        {
            _timers.OnPong();
        }

        message.Return();
        return null;
    }

    private void Forward(WebSocketMessage message, RelayFrame frame)
    {
        _packetsReceived++;
        int payload = frame.Payload.Length;
        _bytesReceived += payload;
        ClientGroup<ClientConnection>? destination = _destination;
        bool isNew = destination?.Active is null || !destination.Id.Span.SequenceEqual(frame.Peer);
        if (isNew)
            _destination = destination = _registry.Find(frame.Peer);
        if (destination?.Active is not { } to)
        {
            _packetsDropped++;
            message.Return();
            return;
        }

        Span<byte> forwarded = RelayFrame.Forward(message.Span, Access.Id);
        int offset = WebSocketMessage.Offset + message.Length - forwarded.Length;
        Span<byte> room = message.Buffer.AsSpan(offset - WebSocketFrameHeader.ServerLengthMax, WebSocketFrameHeader.ServerLengthMax);
        int header = WebSocketFrameHeader.WriteBefore(room, WebSocketOpcode.Binary, forwarded.Length);
        var packet = new OutgoingPacket(message.Buffer, offset - header, header + forwarded.Length, payload);
        if (!to.Outbox.Enqueue(this, packet))
            _destination = null;
        else if (isNew)
            _group!.AddDestination(destination.Id);
        Touch(to.Outbox);
    }

    private WebSocketCloseCode OnViolation(string reason, WebSocketCloseCode code)
    {
        DropReason = reason;
        RelayCounters.Count(ref _counters.ProtocolErrors);
        return code;
    }

    // Whoever was sent something is written to after the whole read: packets that came together leave together.
    private void Touch(ClientOutbox outbox)
    {
        _touched ??= new ClientOutbox[TouchedMax];
        if (_touchedCount > 0 && ReferenceEquals(_touched[_touchedCount - 1], outbox))
            return;
        if (_touchedCount == TouchedMax)
            outbox.StartWriting(onThisThread: false);
        else
            _touched[_touchedCount++] = outbox;
    }

    private void WriteToTouched()
    {
        for (int i = 0; i < _touchedCount; i++)
        {
            _touched![i].StartWriting(onThisThread: true);
            _touched[i] = null!;
        }

        _touchedCount = 0;
    }

    private void Leave()
    {
        ClientGroup<ClientConnection> group = _group!;
        bool wasActive = ReferenceEquals(group.Active, this);
        bool isGone = _registry.Remove(group, this, out ClientConnection? promoted);
        if (promoted is not null || !wasActive)
            RelayCounters.Count(ref _counters.InactiveRemoved);
        promoted?.Tell(RelayStatus.Healthy);
        if (!isGone)
            return;
        Span<byte> gone = stackalloc byte[1 + EndpointId.Length];
        RelayFrameWriter.WriteEndpointGone(gone, group.Id);
        foreach (EndpointId id in group.TakeDestinations())
            _registry.Find(id.Span)?.Active?.Say(gone);
    }
}
