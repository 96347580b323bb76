using System.Collections.Concurrent;
using Blixard.Rpc.Frames;

namespace Blixard.Cluster.Links;

/// <summary>A link's control stream after the hellos: both ends send pings and answer those of the other. Owned by its session.</summary>
internal sealed class ControlStream : IDisposable
{
    // More pings than this without an answer tell nothing new; the link is given up long before.
    private const int UnansweredMax = 16;

    // As much as a peer may ask to get back (docs/protocols/rpc-frames.md).
    private const int PingPayloadMax = 64;

    private readonly Stream _stream;
    private readonly TimeProvider _time;
    private readonly TimeSpan _pingInterval;
    private readonly Action<TimeSpan> _onPong;
    private readonly ConcurrentDictionary<Guid, long> _unanswered = new();
    private readonly SemaphoreSlim _writing = new(1, 1);
    private readonly SemaphoreSlim _probe = new(0);

    /// <summary>Pings on a stream.</summary>
    /// <param name="stream">Stays the caller's.</param>
    /// <param name="time">The clock that measures.</param>
    /// <param name="pingInterval">How often a ping goes out unasked.</param>
    /// <param name="onPong">Told of each answer to a ping, with its round trip time.</param>
    public ControlStream(Stream stream, TimeProvider time, TimeSpan pingInterval, Action<TimeSpan> onPong) =>
        (_stream, _time, _pingInterval, _onPong) = (stream, time, pingInterval, onPong);

    /// <summary>Sends a ping at once, out of turn.</summary>
    public void Probe() => _probe.Release();

    /// <summary>Pings and answers until the token fires, the stream ends or something is wrong with it.</summary>
    /// <exception cref="InvalidDataException">The peer sent something else than pings and pongs.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task reading = ReadAllAsync(ending.Token), pinging = PingAllAsync(ending.Token);
        Task first = await Task.WhenAny(reading, pinging).ConfigureAwait(false);
        await ending.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(reading, pinging).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await first.ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _writing.Dispose();
        _probe.Dispose();
    }

    private async Task PingAllAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            if (_unanswered.Count < UnansweredMax)
            {
                Guid id = Guid.NewGuid();
                _unanswered[id] = _time.GetTimestamp();
                await WriteAsync(FrameType.Ping, id, default, cancellationToken).ConfigureAwait(false);
            }

            using var waiting = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            await Task.WhenAny(_probe.WaitAsync(waiting.Token), Task.Delay(_pingInterval, _time, waiting.Token)).ConfigureAwait(false);
            await waiting.CancelAsync().ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    private async Task ReadAllAsync(CancellationToken cancellationToken)
    {
        byte[] bytes = new byte[FrameHeader.Length + PingPayloadMax];
        while (true)
        {
            int length = await _stream.ReadAtLeastAsync(bytes.AsMemory(0, FrameHeader.Length), FrameHeader.Length, false, cancellationToken)
                .ConfigureAwait(false);
            if (length == 0)
                return;
            if (FrameHeader.TryRead(bytes.AsSpan(0, length), out FrameHeader header) != FrameError.None
                || header.Type is not (FrameType.Ping or FrameType.Pong)
                || header.PayloadLength > PingPayloadMax)
                throw new InvalidDataException("something else than a ping or a pong on the control stream");
            Memory<byte> payload = bytes.AsMemory(FrameHeader.Length, header.PayloadLength);
            await _stream.ReadExactlyAsync(payload, cancellationToken).ConfigureAwait(false);
            if (header.Type == FrameType.Ping)
                await WriteAsync(FrameType.Pong, header.RequestId, payload, cancellationToken).ConfigureAwait(false);
            else if (_unanswered.TryRemove(header.RequestId, out long sent))
                _onPong(_time.GetElapsedTime(sent));
        }
    }

    private async Task WriteAsync(FrameType type, Guid id, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken)
    {
        byte[] bytes = new byte[FrameHeader.Length + payload.Length];
        new FrameHeader(type, FrameFlags.None, payload.Length, id).Write(bytes);
        payload.CopyTo(bytes.AsMemory(FrameHeader.Length));
        await _writing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await _stream.WriteAsync(bytes, cancellationToken).ConfigureAwait(false);
            await _stream.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _writing.Release();
        }
    }
}
