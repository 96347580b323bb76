using System.Buffers;
using System.Net.Sockets;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Endpoint;
using Iroh.Quic.Protocol.Paths;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Driving;

/// <summary>
/// Gives one protocol core its inputs, one caller at a time, and carries its outputs away: datagrams to the sockets, routing
/// changes to the endpoint, events to the <see cref="QuicConnection"/>, the next timeout to the heap.
/// </summary>
/// <remarks>
/// <para><see cref="Lock"/> guards the core and everything that changes with it. It is held for work on memory only, never over
/// a system call or an await.</para>
/// <para>Whoever gave the core something to do calls <see cref="Flush"/>. One thread at a time is the transmitter: it writes
/// datagrams under the lock and sends them outside of it, so that they leave in order while others read and write.
/// <code>
///          Flush                       Flush by another thread
///   Idle ---------> Transmitting &lt;-----------------------------> Requested
///    ^                   |          the transmitter looks again
///    +-------------------+  nothing left to send
/// </code></para>
/// </remarks>
internal sealed class ConnectionDriver : DeadlineHeap.Entry, ISearchReceiver
{
    /// <summary>
    /// Sends by one transmitter before it leaves the rest to the timer thread, so that a caller that wrote a little does not go
    /// on sending what others write. 64 full batches are 4 MB.
    /// </summary>
    private const int SendsPerTurn = 64;

    /// <summary>Room for the largest batch: an IP packet less the headers of IPv6 with extensions and UDP.</summary>
    private const int BatchLength = 65_000;

    private const int Idle = 0, Transmitting = 1, Requested = 2;

    private readonly EndpointDriver _endpoint;
    private readonly ConnectionHandle _handle;
    private FirstFlight? _firstFlight;
    private SearchSockets? _search;
    private int _transmitState;
    private bool _failed;

    /// <summary>Takes over <paramref name="core"/>.</summary>
    /// <param name="endpoint">Where its datagrams go.</param>
    /// <param name="handle">Its name at the endpoint's core.</param>
    /// <param name="core">The protocol; nobody else calls it from now on.</param>
    /// <param name="candidates">
    /// The addresses at which the server may be: datagrams are copied to all until it has answered from one. Null for a server.
    /// </param>
    /// <param name="onHandshakeEnded">See <see cref="QuicConnection"/>.</param>
    public ConnectionDriver(
        EndpointDriver endpoint,
        ConnectionHandle handle,
        Connection core,
        NetworkAddress[]? candidates,
        Action<QuicConnection>? onHandshakeEnded)
    {
        _endpoint = endpoint;
        _handle = handle;
        _firstFlight = candidates is null ? null : new FirstFlight(candidates);
        Core = core;
        Connection = new QuicConnection(this, endpoint.Metrics, onHandshakeEnded);
    }

    /// <summary>Guards <see cref="Core"/>.</summary>
    public Lock Lock { get; } = new();

    /// <summary>The protocol, to be called under <see cref="Lock"/> only.</summary>
    public Connection Core { get; }

    /// <summary>The public face of this connection.</summary>
    public QuicConnection Connection { get; }

    /// <summary>
    /// Whether there is a peer that may have missed the close and is told again if it goes on sending: it has been heard from, and has not
    /// closed itself.
    /// </summary>
    public bool OwesClose
    {
        get
        {
            lock (Lock)
                return Core.Phase == ConnectionPhase.Closing && Core.Statistics.PacketsReceived > 0;
        }
    }

    /// <summary>Passes on datagrams that arrived together. Call <see cref="Flush"/> afterwards.</summary>
    /// <param name="path">Where they came from.</param>
    /// <param name="ecn">Their ECN bits.</param>
    /// <param name="payload">One or more datagrams; they are decrypted in place.</param>
    /// <param name="segmentSize">The length of each but the last.</param>
    public void HandleDatagrams(FourTuple path, EcnCodepoint ecn, Span<byte> payload, int segmentSize)
    {
        lock (Lock)
        {
            if (_failed)
                return;
            try
            {
                // Read under the lock: the core's time must not run backwards, and other threads call it too.
                Instant now = MonotonicClock.Now;
                while (payload.Length > segmentSize)
                {
                    Core.HandleDatagram(now, path, ecn, payload[..segmentSize]);
                    payload = payload[segmentSize..];
                }

                Core.HandleDatagram(now, path, ecn, payload);
                PassOnEvents();
            }
            catch (Exception failure)
            {
                Fail(failure);
            }
        }
    }

    /// <summary>Looks whether a timeout is due, and at what may be sent now that time has passed.</summary>
    public void HandleTimer()
    {
        lock (Lock)
        {
            if (_failed)
                return;
            try
            {
                Instant now = MonotonicClock.Now;
                if (Core.NextTimeout <= now)
                    Core.HandleTimeout(now);
                PassOnEvents();
            }
            catch (Exception failure)
            {
                Fail(failure);
            }
        }

        Flush();
    }

    /// <summary>Sends what the core wants to send, or makes sure that the present transmitter does. Not to be called under the lock.</summary>
    public void Flush()
    {
        if (Interlocked.Exchange(ref _transmitState, Requested) != Idle)
            return;
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BatchLength);
        try
        {
            do
            {
                Interlocked.Exchange(ref _transmitState, Transmitting);
            }
            while (TransmitTurn(buffer) && Interlocked.CompareExchange(ref _transmitState, Idle, Transmitting) != Transmitting);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Sends until there is nothing left, true, or the turn is used up, false; then the timer thread goes on.</summary>
    private bool TransmitTurn(byte[] buffer)
    {
        for (int sends = 0; sends < SendsPerTurn; sends++)
        {
            if (!TryGetTransmit(buffer, out Transmit transmit, out Instant next))
            {
                _endpoint.ScheduleTimer(this, next);
                return true;
            }

            Send(transmit, buffer.AsSpan(0, transmit.Length));
        }

        Interlocked.Exchange(ref _transmitState, Idle);
        _endpoint.ScheduleTimer(this, MonotonicClock.Now);
        return false;
    }

    private bool TryGetTransmit(byte[] buffer, out Transmit transmit, out Instant next)
    {
        transmit = default;
        next = Instant.Never;
        lock (Lock)
        {
            if (_failed)
                return false;
            try
            {
                bool any = Core.TryGetTransmit(MonotonicClock.Now, buffer, _endpoint.SegmentsMax, out transmit);
                PassOnEndpointEvents();
                PassOnEvents();
                next = Core.NextTimeout;
                return any;
            }
            catch (Exception failure)
            {
                Fail(failure);
                return false;
            }
        }
    }

    /// <summary>
    /// The core threw, which is a bug of ours: this connection ends without another word, and the endpoint lives on.
    /// </summary>
    private void Fail(Exception failure)
    {
        _failed = true;
        _endpoint.Metrics.OnFailure();
        Core.Dispose();
        Connection.OnClosed(new QuicCloseReason(
            QuicCloseKind.TransportClosed, TransportErrorCode.InternalError, $"failure inside: {failure}"));
        _endpoint.Forget(_handle, this);
        _search?.Dispose();
        Connection.OnDrained();
    }

    private void Send(in Transmit transmit, ReadOnlySpan<byte> payload)
    {
        if (Volatile.Read(ref _search) is not { } search || !search.TrySend(transmit, payload))
            _endpoint.Send(transmit, payload);
        if (_firstFlight is null)
            return;

        NetworkAddress[] candidates;
        lock (Lock)
        {
            // Once a packet of the server has authenticated, the core sends to the address it came from.
            if (_failed || Core.Statistics.PacketsReceived > 0)
                _firstFlight = null;
            if (_firstFlight is not { } flight)
                return;
            flight.Keep(transmit, payload);
            candidates = [.. flight.Candidates];
        }

        foreach (NetworkAddress candidate in candidates)
        {
            if (candidate != transmit.Path.Remote)
                _endpoint.Send(transmit with { Path = new FourTuple(default, candidate) }, payload);
        }
    }

    /// <summary>The server may be there too. Without effect once it has answered.</summary>
    public void AddCandidate(NetworkAddress candidate)
    {
        (Transmit Transmit, byte[] Payload)[] missed;
        lock (Lock)
        {
            if (_failed || _firstFlight is not { } flight || Core.Statistics.PacketsReceived > 0 || !flight.TryAdd(candidate, out missed))
                return;
        }

        foreach ((Transmit transmit, byte[] payload) in missed)
            _endpoint.Send(transmit, payload);
    }

    /// <summary>A port search begins: its sockets are opened soon, on another thread, and the core is told. Under the lock.</summary>
    public void BeginSearch(int count)
    {
        SearchSockets? before = _search;
        var search = new SearchSockets(this);
        Volatile.Write(ref _search, search);
        _ = Task.Run(() =>
        {
            before?.Dispose();
            OpenSearchSockets(search, count);
        });
    }

    /// <summary>
    /// The port search is over: its sockets are closed soon, on another thread. Those that paths use stay, and the last one at which the peer
    /// has arrived, <paramref name="found"/>: it may have arrived at several, and opened its path to any. Under the lock.
    /// </summary>
    public void EndSearch(NetworkAddress found)
    {
        // Taken here: the task may run after another search has begun.
        if (_search is { } search)
            _ = Task.Run(() => EndSearch(search, found));
    }

    private void OpenSearchSockets(SearchSockets search, int count)
    {
        lock (Lock)
        {
            if (_failed || Core.Phase != ConnectionPhase.Established)
                return;
        }

        // NATs of this kind are IPv4's: IPv6 has no need of them.
        NetworkAddress[] opened = search.Open(count, AddressFamily.InterNetwork);
        lock (Lock)
        {
            if (_failed || _search != search)
                return;
            try
            {
                Core.OpenSearchSockets(MonotonicClock.Now, opened);
                PassOnEvents();
            }
            catch (Exception failure)
            {
                Fail(failure);
            }
        }

        Flush();
    }

    private void EndSearch(SearchSockets search, NetworkAddress found)
    {
        HashSet<NetworkAddress> used = [found];
        lock (Lock)
        {
            if (_failed)
                return;
            var paths = new PathSnapshot[Core.PathCount];
            foreach (PathSnapshot path in paths.AsSpan(0, Core.CopyPaths(paths)))
                used.Add(path.Address.Local);
        }

        search.Keep(used);
    }

    private void PassOnEndpointEvents()
    {
        while (Core.TryGetEndpointEvent(out EndpointEvent change))
        {
            _endpoint.Apply(_handle, change);
            if (change.Kind == EndpointEventKind.Drained)
            {
                _endpoint.Forget(_handle, this);
                _search?.Dispose();
                Connection.OnDrained();
            }
        }
    }

    /// <summary>Ends the connection without another word to the peer. Without effect if it is drained.</summary>
    public void Abandon()
    {
        lock (Lock)
        {
            if (_failed || Core.IsDrained)
                return;
            _failed = true;
            Core.Dispose();
            _search?.Dispose();
            Connection.OnDrained();
        }
    }

    /// <summary>Tells the connection what happened. Under <see cref="Lock"/>.</summary>
    public void PassOnEvents()
    {
        while (Core.TryGetEvent(out ConnectionEvent e))
            Connection.OnEvent(e);
    }
}
