using System.Net;
using System.Text;
using Iroh.Quic.Certificates;
using Iroh.Quic.Driving;
using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Datagrams;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic;

/// <summary>
/// A connection to one authenticated peer: streams in both directions, and datagrams. All members may be used from any thread,
/// several calls at once. Once the connection has ended, every call fails with <see cref="QuicConnectionException"/>.
/// </summary>
public sealed partial class QuicConnection : IAsyncDisposable
{
    private readonly ConnectionDriver _driver;
    private readonly QuicMetrics _metrics;
    private readonly Instant _start = MonotonicClock.Now;
    private readonly Dictionary<StreamId, QuicStream> _streams = [];
    private readonly AsyncPulse[] _opened = [new(), new()];
    private readonly AsyncPulse[] _available = [new(), new()];
    private readonly AsyncPulse _datagramReceived = new();
    private readonly AsyncPulse _datagramsUnblocked = new();
    private readonly AsyncPulse _addressObserved = new();
    private readonly TaskCompletionSource _connected = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<QuicCloseReason> _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Action<QuicConnection>? _onHandshakeEnded;
    private QuicCloseReason? _closeReason;
    private TimeSpan _handshakeDuration;
    private IPEndPoint? _observedAddress;

    /// <param name="driver">Owns the protocol core.</param>
    /// <param name="metrics">What to count in.</param>
    /// <param name="onHandshakeEnded">Called once, under the driver's lock, when the handshake has succeeded or failed.</param>
    internal QuicConnection(ConnectionDriver driver, QuicMetrics metrics, Action<QuicConnection>? onHandshakeEnded)
    {
        _driver = driver;
        _metrics = metrics;
        _onHandshakeEnded = onHandshakeEnded;
    }

    /// <summary>
    /// The peer's Ed25519 public key, 32 bytes, which it has proved to own; empty if one end dialled a host by its name.
    /// </summary>
    public ReadOnlyMemory<byte> PeerPublicKey { get; private set; }

    /// <summary>The application protocol that both ends agreed on (ALPN).</summary>
    public ReadOnlyMemory<byte> ApplicationProtocol { get; private set; }

    /// <summary>The time from the first packet to the completion of the handshake at this end.</summary>
    public TimeSpan HandshakeDuration => _handshakeDuration;

    /// <summary>The address at which the peer is reached now; it may change while the connection lives.</summary>
    /// <exception cref="InvalidOperationException">It is reached at a virtual address (see <see cref="RemoteAddress"/>).</exception>
    public IPEndPoint RemoteEndPoint => RemoteAddress.ToIPEndPoint();

    /// <summary>The address, IP or virtual, at which the peer is reached now; it may change while the connection lives.</summary>
    public NetworkAddress RemoteAddress
    {
        get
        {
            lock (_driver.Lock)
                return _driver.Core.Address.Remote;
        }
    }

    /// <summary>
    /// The address of this end as the peer says to see it, the last one that it has told; null if none. It is told where the configuration
    /// of one end provides such reports and that of the other receives them.
    /// </summary>
    public IPEndPoint? ObservedAddress
    {
        get
        {
            lock (_driver.Lock)
                return _observedAddress;
        }
    }

    /// <summary>Counters and measurements at this moment.</summary>
    public ConnectionStatistics Statistics
    {
        get
        {
            lock (_driver.Lock)
                return _driver.Core.Statistics;
        }
    }

    /// <summary>
    /// The longest datagram that <see cref="TrySendDatagram"/> takes now, in bytes; it grows and shrinks with the path's MTU. 0 if the
    /// peer takes none.
    /// </summary>
    public int MaxDatagramSize
    {
        get
        {
            lock (_driver.Lock)
                return _driver.Core.MaxDatagramSize;
        }
    }

    /// <summary>Completes when the connection has ended, whoever ended it, with the reason. Never fails.</summary>
    public Task<QuicCloseReason> Closed => _closed.Task;

    /// <summary>Completes with the handshake; fails with the reason if that does.</summary>
    internal Task Connected => _connected.Task;

    /// <summary>Completes when nothing more is sent or received for this connection.</summary>
    internal Task Drained => _drained.Task;

    internal ConnectionDriver Driver => _driver;

    /// <summary>What a client that dials a host by its name finds out about its certificate; set before the first packet leaves.</summary>
    internal ServerCertificateCheck? CertificateCheck { get; set; }

    /// <summary>Opens a stream on which both ends send. The peer learns of it with the first bytes.</summary>
    /// <param name="cancellationToken">Ends the wait for the peer to allow another stream.</param>
    /// <exception cref="QuicConnectionException">The connection has ended.</exception>
    public ValueTask<QuicStream> OpenBidirectionalStreamAsync(CancellationToken cancellationToken = default) =>
        OpenAsync(StreamDirection.Bidirectional, cancellationToken);

    /// <summary>Opens a stream on which only this end sends. The peer learns of it with the first bytes.</summary>
    /// <param name="cancellationToken">Ends the wait for the peer to allow another stream.</param>
    /// <exception cref="QuicConnectionException">The connection has ended.</exception>
    public ValueTask<QuicStream> OpenUnidirectionalStreamAsync(CancellationToken cancellationToken = default) =>
        OpenAsync(StreamDirection.Unidirectional, cancellationToken);

    /// <summary>Waits for the next stream that the peer opened to send and receive on, in the order of opening.</summary>
    /// <exception cref="QuicConnectionException">The connection has ended.</exception>
    public ValueTask<QuicStream> AcceptBidirectionalStreamAsync(CancellationToken cancellationToken = default) =>
        AcceptAsync(StreamDirection.Bidirectional, cancellationToken);

    /// <summary>Waits for the next stream that the peer opened to send on, in the order of opening.</summary>
    /// <exception cref="QuicConnectionException">The connection has ended.</exception>
    public ValueTask<QuicStream> AcceptUnidirectionalStreamAsync(CancellationToken cancellationToken = default) =>
        AcceptAsync(StreamDirection.Unidirectional, cancellationToken);

    /// <summary>Queues a datagram to be sent once, unordered and unreliable (RFC 9221).</summary>
    /// <param name="data">At most <see cref="MaxDatagramSize"/> bytes; the caller's again on return.</param>
    /// <returns>False if the queue is full; the datagram is dropped.</returns>
    /// <exception cref="ArgumentException">It is too long for the path, or for the peer.</exception>
    /// <exception cref="NotSupportedException">The peer takes no datagrams.</exception>
    /// <exception cref="QuicConnectionException">The connection has ended.</exception>
    public bool TrySendDatagram(ReadOnlySpan<byte> data)
    {
        bool queued;
        lock (_driver.Lock)
            queued = TryQueueDatagram(data);
        _driver.Flush();
        return queued;
    }

    /// <summary>Queues a datagram as <see cref="TrySendDatagram"/> does, after waiting for room in the queue if it is full.</summary>
    /// <param name="data">At most <see cref="MaxDatagramSize"/> bytes; the caller's again when the task has completed.</param>
    /// <param name="cancellationToken">Ends the wait; the datagram is not sent.</param>
    /// <exception cref="ArgumentException">It is too long for the path, or for the peer.</exception>
    /// <exception cref="NotSupportedException">The peer takes no datagrams.</exception>
    /// <exception cref="QuicConnectionException">The connection has ended.</exception>
    public async ValueTask SendDatagramAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        while (true)
        {
            Task? room = null;
            lock (_driver.Lock)
            {
                if (!TryQueueDatagram(data.Span))
                    room = _datagramsUnblocked.Next;
            }

            _driver.Flush();
            if (room is null)
                return;
            await room.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Waits for the next datagram. Datagrams that nobody receives in time are dropped, the oldest first.</summary>
    /// <param name="cancellationToken">Ends the wait; no datagram is lost by it.</param>
    /// <exception cref="QuicConnectionException">The connection has ended.</exception>
    public async ValueTask<byte[]> ReceiveDatagramAsync(CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        while (true)
        {
            Task arrival;
            lock (_driver.Lock)
            {
                // The first look takes an empty datagram, or tells how long the next one is.
                if (_driver.Core.TryReceiveDatagram([], out int length))
                    return [];
                byte[] datagram = new byte[length];
                if (length > 0 && _driver.Core.TryReceiveDatagram(datagram, out _))
                    return datagram;

                ThrowIfClosed();
                arrival = _datagramReceived.Next;
            }

            await arrival.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Waits until the peer has told an address of this end that is another than <paramref name="known"/>.</summary>
    /// <param name="known">Null for any.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="QuicConnectionException">The connection has ended.</exception>
    public async ValueTask<IPEndPoint> WaitForObservedAddressAsync(IPEndPoint? known, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        while (true)
        {
            Task report;
            lock (_driver.Lock)
            {
                if (_observedAddress is not null && !_observedAddress.Equals(known))
                    return _observedAddress;
                ThrowIfClosed();
                report = _addressObserved.Next;
            }

            await report.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Starts new 1-RTT keys (RFC 9001 §6), which happens by itself long before a key is worn out. Without effect while an update is
    /// under way.
    /// </summary>
    public void UpdateKeys()
    {
        lock (_driver.Lock)
        {
            ThrowIfClosed();
            _driver.Core.UpdateKeys();
        }

        _driver.Flush();
    }

    /// <summary>
    /// Closes the connection: streams fail at once at this end, and at the other when it hears of it. What was written and not yet
    /// delivered is lost; <see cref="QuicStream.WritesFinished"/> tells before. Without effect on a connection that has ended.
    /// </summary>
    /// <param name="code">Told to the peer, 0 to 2^62-1; its meaning is the application's.</param>
    /// <param name="reason">Told to the peer, for people; what does not fit a packet is cut off.</param>
    /// <returns>Completes when the connection is closed at this end and the peer has been told.</returns>
    public async ValueTask CloseAsync(ulong code = 0, string reason = "")
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(code, VarInt.Max);
        ArgumentNullException.ThrowIfNull(reason);
        Close(code, Encoding.UTF8.GetBytes(reason));
        await Closed.ConfigureAwait(false);
    }

    /// <summary>Closes the connection with code 0, if it has not ended.</summary>
    public ValueTask DisposeAsync() => CloseAsync();

    internal void Close(ulong code, ReadOnlySpan<byte> reason)
    {
        lock (_driver.Lock)
        {
            if (_closeReason is not null)
                return;
            _driver.Core.Close(MonotonicClock.Now, code, reason);
            _driver.PassOnEvents();
        }

        _driver.Flush();
    }

    /// <summary>Throws if the connection has ended. Under the driver's lock.</summary>
    internal void ThrowIfClosed()
    {
        if (_closeReason is { } reason)
            throw new QuicConnectionException(reason);
    }

    /// <summary>Why the connection has ended, null while it lives. Under the driver's lock.</summary>
    internal QuicCloseReason? CloseReason => _closeReason;

    /// <summary>The stream hears of no more events. Under the driver's lock.</summary>
    internal void Forget(QuicStream stream) => _streams.Remove(stream.StreamId);

    /// <summary>Takes an event of the core. Under the driver's lock; wakes those who wait, runs none of their code.</summary>
    internal void OnEvent(in ConnectionEvent e)
    {
        switch (e.Kind)
        {
            case ConnectionEventKind.Connected:
                OnConnected();
                break;
            case ConnectionEventKind.ServerCertificateShown:
                // Not kept: it never fails, and a connection that has ended in the meantime takes no notice.
                _ = Task.Run(JudgeCertificate);
                break;
            case ConnectionEventKind.ObservedAddress:
                _observedAddress = e.Address.ToIPEndPoint();
                _addressObserved.Pulse();
                break;
            case ConnectionEventKind.StreamOpened:
                _opened[(int)e.Direction].Pulse();
                break;
            case ConnectionEventKind.StreamsAvailable:
                _available[(int)e.Direction].Pulse();
                break;
            case ConnectionEventKind.DatagramReceived:
                _datagramReceived.Pulse();
                break;
            case ConnectionEventKind.DatagramsUnblocked:
                _datagramsUnblocked.Pulse();
                break;
            case ConnectionEventKind.Closed:
                OnClosed(QuicCloseReason.From(_driver.Core.CloseReason!, _driver.Core.IsPeerMismatch));
                break;
            case ConnectionEventKind.PortSearchSocketsWanted:
                _driver.BeginSearch((int)e.Code);
                break;
            case ConnectionEventKind.PortSearchEnded:
                _driver.EndSearch(e.Address);
                break;
            case >= ConnectionEventKind.PeerCandidatesChanged and <= ConnectionEventKind.PathsAvailable:
                OnPathEvent(e);
                break;
            default:
                if (_streams.TryGetValue(e.StreamId, out QuicStream? stream))
                    stream.OnEvent(e);
                break;
        }
    }

    /// <summary>Nothing more will happen, whatever the core has said so far.</summary>
    internal void OnDrained() => _drained.TrySetResult();

    /// <summary>Ends everything that waits. Under the driver's lock.</summary>
    internal void OnClosed(QuicCloseReason reason)
    {
        if (_closeReason is not null)
            return;
        _closeReason = reason;
        if (_connected.Task.IsCompleted)
        {
            _metrics.OnEnded(_driver.Core.Side == Side.Client);
        }
        else
        {
            _connected.SetException(new QuicConnectionException(reason));
            _ = _connected.Task.Exception;
            _onHandshakeEnded?.Invoke(this);
        }

        foreach (QuicStream stream in _streams.Values)
            stream.OnConnectionClosed(reason);
        _streams.Clear();
        foreach (AsyncPulse pulse in (ReadOnlySpan<AsyncPulse>)[.. _opened, .. _available, _datagramReceived, _datagramsUnblocked, _addressObserved, _pathEvent])
            pulse.Pulse();
        _closed.SetResult(reason);
    }

    // Building a chain reads files and may run user code, so it happens outside of the lock.
    private void JudgeCertificate()
    {
        IReadOnlyList<ReadOnlyMemory<byte>> certificates;
        lock (_driver.Lock)
            certificates = _driver.Core.PeerCertificates;
        (byte Alert, string Reason)? refusal = CertificateCheck!.Judge(this, certificates);
        lock (_driver.Lock)
        {
            if (_closeReason is not null)
                return;
            if (refusal is { } no)
                _driver.Core.RefuseCertificate(MonotonicClock.Now, no.Alert, no.Reason);
            else
                _driver.Core.AcceptCertificate(MonotonicClock.Now);
            _driver.PassOnEvents();
        }

        _driver.Flush();
    }

    private void OnConnected()
    {
        PeerPublicKey = _driver.Core.PeerPublicKey;
        ApplicationProtocol = _driver.Core.ApplicationProtocol;
        _handshakeDuration = MonotonicClock.Now - _start;
        _metrics.OnConnected(_driver.Core.Side == Side.Client, _handshakeDuration);
        _connected.SetResult();
        _onHandshakeEnded?.Invoke(this);
    }

    private async ValueTask<QuicStream> OpenAsync(StreamDirection direction, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        while (true)
        {
            Task available;
            lock (_driver.Lock)
            {
                ThrowIfClosed();
                if (_driver.Core.TryOpenStream(direction, out StreamId id))
                    return Add(new QuicStream(this, id, canRead: direction == StreamDirection.Bidirectional, canWrite: true));
                available = _available[(int)direction].Next;
            }

            _driver.Flush();
            await available.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private async ValueTask<QuicStream> AcceptAsync(StreamDirection direction, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        while (true)
        {
            Task opened;
            lock (_driver.Lock)
            {
                ThrowIfClosed();
                if (_driver.Core.TryAcceptStream(direction, out StreamId id))
                    return Add(new QuicStream(this, id, canRead: true, canWrite: direction == StreamDirection.Bidirectional));
                opened = _opened[(int)direction].Next;
            }

            await opened.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private QuicStream Add(QuicStream stream)
    {
        _streams.Add(stream.StreamId, stream);
        return stream;
    }

    private bool TryQueueDatagram(ReadOnlySpan<byte> data)
    {
        ThrowIfClosed();
        return _driver.Core.SendDatagram(data) switch
        {
            DatagramSend.Ok => true,
            DatagramSend.QueueFull => false,
            DatagramSend.Unsupported => throw new NotSupportedException("The peer takes no datagrams."),
            _ => throw new ArgumentException(
                $"A datagram may have {_driver.Core.MaxDatagramSize} bytes on this path; this one has {data.Length}.", nameof(data)),
        };
    }
}
