using System.Buffers;
using System.Buffers.Binary;

namespace Iroh.Docs.Sync;

/// <summary>Messages of a sync over a stream: reading and writing one after the other. Not thread-safe. The stream stays the caller's.</summary>
internal sealed class SyncChannel : IDisposable
{
    private const int HeaderLength = 4;

    // A frame's memory grows with what arrives, not with what its length claims.
    private const int ReadStep = 64 * 1024;

    private readonly Stream _stream;
    private readonly Action _completeWrites;
    private readonly TimeProvider _time;
    private readonly CancellationToken _cancellation;
    private CancellationTokenSource _silence;

    /// <summary>Wraps a stream.</summary>
    /// <param name="stream">Both directions.</param>
    /// <param name="completeWrites">Tells the peer that nothing follows.</param>
    /// <param name="time">Measures how long the peer is silent.</param>
    /// <param name="cancellationToken">Ends all waiting.</param>
    internal SyncChannel(Stream stream, Action completeWrites, TimeProvider time, CancellationToken cancellationToken)
    {
        _stream = stream;
        _completeWrites = completeWrites;
        _time = time;
        _cancellation = cancellationToken;
        _silence = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
    }

    /// <summary>The longest frame that is read from now on.</summary>
    internal int FrameBytesMax { get; set; } = SyncLimits.FrameBytesMax;

    /// <summary>Reads the next message; null at the end of what the peer sends.</summary>
    /// <exception cref="SyncException">The peer broke the protocol, was silent for too long, or is gone.</exception>
    internal async Task<SyncMessage?> ReadAsync()
    {
        byte[] header = new byte[HeaderLength];
        int read = await ReadSomeAsync(header).ConfigureAwait(false);
        if (read == 0)
            return null;
        for (; read < HeaderLength; read += await ReadMoreAsync(header.AsMemory(read)).ConfigureAwait(false))
        {
        }

        uint length = BinaryPrimitives.ReadUInt32BigEndian(header);
        if (length > FrameBytesMax)
            throw Broken($"a message of {length} bytes came; {FrameBytesMax} are allowed");
        var frame = new ArrayBufferWriter<byte>(Math.Min((int)length, ReadStep));
        while (frame.WrittenCount < length)
        {
            int rest = (int)length - frame.WrittenCount;
            frame.Advance(await ReadMoreAsync(frame.GetMemory(Math.Min(rest, ReadStep))[..Math.Min(rest, ReadStep)]).ConfigureAwait(false));
        }

        return SyncMessage.TryRead(frame.WrittenSpan, out SyncMessage? message) ? message : throw Broken("a message cannot be read");
    }

    /// <summary>Sends a message.</summary>
    /// <exception cref="SyncException">The peer takes nothing for too long, or is gone.</exception>
    internal async Task WriteAsync(SyncMessage message)
    {
        byte[] content = message.Encode();
        byte[] header = new byte[HeaderLength];
        BinaryPrimitives.WriteUInt32BigEndian(header, (uint)content.Length);
        await WriteAsync(header).ConfigureAwait(false);
        for (int sent = 0; sent < content.Length; sent += ReadStep)
            await WriteAsync(content.AsMemory(sent, Math.Min(ReadStep, content.Length - sent))).ConfigureAwait(false);
    }

    /// <summary>Says that nothing follows, and waits until the peer has said so, too.</summary>
    internal async Task FinishAsync()
    {
        _completeWrites();
        try
        {
            if (await ReadSomeAsync(new byte[1]).ConfigureAwait(false) != 0)
                throw Broken("something came after the end");
        }
        catch (SyncException exception) when (exception.Failure == SyncFailure.Unreachable)
        {
            // All has been said: a peer that closes the connection first has heard it.
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _silence.Dispose();

    private static SyncException Broken(string what) => new(SyncFailure.ProtocolBroken, $"The peer does not keep to the protocol: {what}.");

    private async Task<int> ReadMoreAsync(Memory<byte> buffer)
    {
        int read = await ReadSomeAsync(buffer).ConfigureAwait(false);
        return read > 0 ? read : throw Broken("the stream ends within a message");
    }

    private Task<int> ReadSomeAsync(Memory<byte> buffer) => LimitAsync(token => _stream.ReadAsync(buffer, token));

    private Task<int> WriteAsync(ReadOnlyMemory<byte> bytes) => LimitAsync(async token =>
    {
        await _stream.WriteAsync(bytes, token).ConfigureAwait(false);
        return 0;
    });

    private async Task<int> LimitAsync(Func<CancellationToken, ValueTask<int>> operation)
    {
        _silence.CancelAfter(SyncLimits.SilenceMax);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(_cancellation, _silence.Token);
        try
        {
            return await operation(both.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException exception) when (!_cancellation.IsCancellationRequested)
        {
            throw new SyncException(SyncFailure.TimedOut, $"The peer was silent for {SyncLimits.SilenceMax.TotalSeconds:0} s.", exception);
        }
        catch (Exception exception) when (exception is IOException or Quic.QuicConnectionException or Quic.QuicStreamException)
        {
            throw new SyncException(SyncFailure.Unreachable, $"The connection to the peer broke: {exception.Message}", exception);
        }
        finally
        {
            if (!_silence.TryReset())
            {
                _silence.Dispose();
                _silence = new CancellationTokenSource(Timeout.InfiniteTimeSpan, _time);
            }
        }
    }
}
