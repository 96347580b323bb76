using System.Threading.Channels;

namespace Iroh.Quic.Driving;

/// <summary>
/// Incoming connections from their first packet until the application accepts them. A place is taken with the decision to serve a
/// client and free again with its failure or acceptance, so a finished handshake always has room in the queue. Thread-safe.
/// </summary>
/// <param name="capacity">Places. Clients that find none are refused.</param>
internal sealed class AcceptQueue(int capacity)
{
    private readonly Channel<QuicConnection> _ready = Channel.CreateBounded<QuicConnection>(capacity);
    private int _taken;

    /// <summary>Takes a place for a client that dials; false if all are taken.</summary>
    public bool TryTakePlace()
    {
        if (Interlocked.Increment(ref _taken) <= capacity)
            return true;
        Interlocked.Decrement(ref _taken);
        return false;
    }

    /// <summary>The handshake of a connection with a place has succeeded or failed.</summary>
    public void OnHandshakeEnded(QuicConnection connection)
    {
        if (!connection.Connected.IsCompletedSuccessfully || !_ready.Writer.TryWrite(connection))
            Interlocked.Decrement(ref _taken);
    }

    /// <summary>The next connection that is up; null when there will be none any more.</summary>
    public async ValueTask<QuicConnection?> TakeAsync(CancellationToken cancellationToken)
    {
        while (await _ready.Reader.WaitToReadAsync(cancellationToken).ConfigureAwait(false))
        {
            while (_ready.Reader.TryRead(out QuicConnection? connection))
            {
                Interlocked.Decrement(ref _taken);
                if (!connection.Closed.IsCompleted)
                    return connection;
            }
        }

        return null;
    }

    /// <summary>Lets every present and future <see cref="TakeAsync"/> return null once the queue is empty.</summary>
    public void Complete() => _ready.Writer.TryComplete();
}
