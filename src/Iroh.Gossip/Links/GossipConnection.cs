using System.Buffers.Binary;
using Iroh.Gossip.Messages;
using Iroh.Quic;

namespace Iroh.Gossip.Links;

/// <summary>
/// One connection to a peer as gossip uses it: each end opens a one-way stream for every topic that it sends on, which begins with the
/// topic's id. Sending has one caller at a time; receiving is a loop of its own.
/// </summary>
internal sealed class GossipConnection
{
    /// <summary>The code with which a connection is closed whose peer does not keep to the framing.</summary>
    public const ulong MalformedCode = 1;

    // After the last word, for the peer to acknowledge it.
    private static readonly TimeSpan s_farewell = TimeSpan.FromSeconds(5);

    private readonly IrohConnection _connection;
    private readonly int _messageSizeMax;
    private readonly Dictionary<TopicId, QuicStream> _sending = [];
    private readonly List<QuicStream> _finishing = [];
    private int _receiving;

    public GossipConnection(IrohConnection connection, int messageSizeMax) => (_connection, _messageSizeMax) = (connection, messageSizeMax);

    /// <summary>Completes when the connection has ended.</summary>
    public Task Closed => _connection.Closed;

    /// <summary>How many topics the peer sends on.</summary>
    public int OpenReceiveStreams => Volatile.Read(ref _receiving);

    /// <summary>Writes a frame, after opening the topic's stream where there is none.</summary>
    /// <exception cref="QuicException">The connection has ended, or the peer does not want the stream.</exception>
    public async ValueTask SendAsync(OutgoingFrame frame, CancellationToken cancellationToken)
    {
        byte[] prefixed = Prefix(frame.Body);
        if (!_sending.TryGetValue(frame.Topic, out QuicStream? stream))
        {
            stream = await _connection.OpenUnidirectionalStreamAsync(cancellationToken).ConfigureAwait(false);
            _sending.Add(frame.Topic, stream);
            // One write, so that a cancelled one leaves nothing half said that would be continued.
            prefixed = [.. Prefix(frame.Topic.Span), .. prefixed];
        }

        await stream.WriteAsync(prefixed, cancellationToken).ConfigureAwait(false);
        if (!frame.IsLast)
            return;
        stream.CompleteWrites();
        _sending.Remove(frame.Topic);
        _finishing.RemoveAll(finished => finished.WritesFinished.IsCompleted);
        _finishing.Add(stream);
    }

    /// <summary>Ends all streams; what was written still goes out.</summary>
    public void FinishSending()
    {
        foreach (QuicStream stream in _sending.Values)
        {
            _finishing.Add(stream);
            stream.Dispose();
        }

        _sending.Clear();
    }

    /// <summary>Ends all streams, waits a few seconds for the peer to have everything, and closes.</summary>
    public async Task CloseAsync(TimeProvider time)
    {
        FinishSending();
        Task acknowledged = Task.WhenAll(_finishing.Select(stream => stream.WritesFinished));
        try
        {
            await acknowledged.WaitAsync(s_farewell, time).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is QuicException or TimeoutException or OperationCanceledException)
        {
            // The peer has gone first, or is too slow: then it misses a farewell.
        }

        await _connection.CloseAsync(0, "close from disconnect").ConfigureAwait(false);
        _ = acknowledged.Exception;
    }

    /// <summary>Closes at once.</summary>
    public void Abort() => _ = _connection.CloseAsync(0, "close from disconnect").AsTask();

    /// <summary>Takes what the peer sends until the connection ends. Never fails.</summary>
    /// <param name="onMessage">Given every message that can be read, on any thread, in order within a topic.</param>
    /// <param name="cancellationToken">Ends the loop.</param>
    public async Task ReceiveAsync(Action<TopicId, TopicMessage> onMessage, CancellationToken cancellationToken)
    {
        try
        {
            // The peer can only have as many streams open as the connection's configuration allows.
            while (true)
            {
                QuicStream stream = await _connection.AcceptUnidirectionalStreamAsync(cancellationToken).ConfigureAwait(false);
                Interlocked.Increment(ref _receiving);
                _ = ReceiveStreamAsync(stream, onMessage, cancellationToken);
            }
        }
        catch (Exception exception) when (exception is QuicException or OperationCanceledException)
        {
        }
    }

    private static byte[] Prefix(ReadOnlySpan<byte> body)
    {
        byte[] frame = new byte[sizeof(uint) + body.Length];
        BinaryPrimitives.WriteUInt32BigEndian(frame, (uint)body.Length);
        body.CopyTo(frame.AsSpan(sizeof(uint)));
        return frame;
    }

    private async Task ReceiveStreamAsync(QuicStream stream, Action<TopicId, TopicMessage> onMessage, CancellationToken cancellationToken)
    {
        try
        {
            await using (stream)
            {
                var frames = new FrameReader(stream, _messageSizeMax);
                if (await frames.ReadAsync(cancellationToken).ConfigureAwait(false) is not { } header)
                    return;
                if (header.Length != TopicId.Length)
                    throw new InvalidDataException($"A gossip stream begins with a topic of {TopicId.Length} bytes; this one has {header.Length}.");
                TopicId topic = TopicId.FromBytes(header.Span);
                while (await frames.ReadAsync(cancellationToken).ConfigureAwait(false) is { } frame)
                {
                    // A message of a kind that is not known is somebody's future.
                    if (TopicMessageCodec.TryRead(frame.Span, out TopicMessage? message))
                        onMessage(topic, message);
                }
            }
        }
        catch (InvalidDataException exception)
        {
            await _connection.CloseAsync(MalformedCode, exception.Message).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is QuicException or OperationCanceledException)
        {
        }
        finally
        {
            Interlocked.Decrement(ref _receiving);
        }
    }
}
