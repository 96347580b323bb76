using Iroh.Quic.Protocol.Datagrams;
using Iroh.Quic.Protocol.Paths;
using Iroh.Quic.Protocol.Streams;

namespace Iroh.Quic.Protocol.Connections;

/// <summary>What the application is told, in the order in which it happened; the end of the connection comes last.</summary>
/// <remarks>
/// Bounded by what rooms append between two drains of the owner: stream events are edge-triggered, the others come once or are flags.
/// </remarks>
internal sealed class ConnectionEvents
{
    private readonly Queue<ConnectionEvent> _own = new();
    private bool _isDatagramAwaited = true;
    private bool _isClosedTaken;

    /// <summary>Where the streams append their events.</summary>
    public Queue<StreamEvent> FromStreams { get; } = new();

    /// <summary>Appends an event of the connection itself.</summary>
    public void Add(ConnectionEventKind kind) => Add(new ConnectionEvent(kind));

    /// <inheritdoc cref="Add(ConnectionEventKind)"/>
    public void Add(in ConnectionEvent e) => _own.Enqueue(e);

    /// <summary>Appends an event that concerns a path.</summary>
    public void Add(ConnectionEventKind kind, Path path, ulong code = 0) =>
        _own.Enqueue(new ConnectionEvent(kind, Code: code, PathId: path.Id, Address: path.Current.Address.Remote));

    /// <summary>The application found no datagram: it wants to hear of the next one.</summary>
    public void AwaitDatagram() => _isDatagramAwaited = true;

    /// <summary>Takes the next event.</summary>
    /// <param name="datagrams">Says whether there is a datagram to receive, or room to send again.</param>
    /// <param name="isClosed">Whether the connection has ended.</param>
    /// <param name="e">The event.</param>
    public bool TryTake(DatagramQueue datagrams, bool isClosed, out ConnectionEvent e)
    {
        e = default;
        if (_isClosedTaken)
            return false;
        if (_own.TryDequeue(out e))
            return true;
        if (FromStreams.TryDequeue(out StreamEvent stream))
        {
            e = Translate(stream);
            return true;
        }

        if (_isDatagramAwaited && datagrams.ReceivedCount > 0)
        {
            _isDatagramAwaited = false;
            e = new ConnectionEvent(ConnectionEventKind.DatagramReceived);
            return true;
        }

        if (datagrams.TakeUnblocked())
        {
            e = new ConnectionEvent(ConnectionEventKind.DatagramsUnblocked);
            return true;
        }

        if (isClosed)
            e = new ConnectionEvent(ConnectionEventKind.Closed);
        _isClosedTaken = isClosed;
        return isClosed;
    }

    private static ConnectionEvent Translate(in StreamEvent e) => e.Kind switch
    {
        StreamEventKind.Opened => new ConnectionEvent(ConnectionEventKind.StreamOpened, e.StreamId, e.Direction),
        StreamEventKind.Writable => new ConnectionEvent(ConnectionEventKind.StreamWritable, e.StreamId, e.Direction),
        StreamEventKind.Finished => new ConnectionEvent(ConnectionEventKind.StreamFinished, e.StreamId, e.Direction),
        StreamEventKind.Stopped => new ConnectionEvent(ConnectionEventKind.StreamStopped, e.StreamId, e.Direction, e.Code),
        StreamEventKind.StreamsAvailable => new ConnectionEvent(ConnectionEventKind.StreamsAvailable, default, e.Direction),
        _ => new ConnectionEvent(ConnectionEventKind.StreamReadable, e.StreamId, e.Direction), // data, or a reset that the next read tells
    };
}
