using System.Buffers;
using Iroh.Blobs.Bao;
using Iroh.Blobs.Transfer;

namespace Iroh.Blobs.Provider;

/// <summary>Gathers a response into large writes, held to the rates of the peer and of all, and given up when the peer does not read. One owner.</summary>
internal sealed class ResponseWriter : IDisposable
{
    /// <summary>What is gathered before it is written: sixteen groups, so that a write is cheap beside its bytes.</summary>
    public const int FlushLength = 256 * 1024;

    /// <summary>Under a rate, what is written at once takes this part of a second, so that it flows.</summary>
    private const double SliceSeconds = 0.02;

    /// <summary>The least that is written at once.</summary>
    private const int SliceLengthMin = 4 * 1024;

    private readonly IBlobStream _stream;
    private readonly PeerBudgets.Place? _place;
    private readonly BlobProviderOptions _options;
    private readonly ProviderMetrics? _metrics;
    private readonly CancellationTokenSource _sendTimer;
    private readonly CancellationTokenSource _cancelled;
    private readonly byte[] _buffer = ArrayPool<byte>.Shared.Rent(FlushLength + BaoEncoder.GroupEncodingLengthMax);
    private readonly int _sliceLength;
    private int _length;

    /// <summary>Starts a response.</summary>
    /// <param name="stream">Where to; the caller's.</param>
    /// <param name="place">The rates; null = none.</param>
    /// <param name="options">The clock and the timeout.</param>
    /// <param name="metrics">Counts what is sent; null = nobody does.</param>
    /// <param name="cancellationToken">Ends writes and waits.</param>
    public ResponseWriter(
        IBlobStream stream, PeerBudgets.Place? place, BlobProviderOptions options, ProviderMetrics? metrics, CancellationToken cancellationToken)
    {
        (_stream, _place, _options, _metrics) = (stream, place, options, metrics);
        _sendTimer = new CancellationTokenSource(Timeout.InfiniteTimeSpan, options.TimeProvider);
        _cancelled = CancellationTokenSource.CreateLinkedTokenSource(_sendTimer.Token, cancellationToken);
        long rate = Math.Min(options.BytesPerSecond ?? long.MaxValue, options.BytesPerSecondPerPeer ?? long.MaxValue);
        _sliceLength = (int)Math.Clamp(rate * SliceSeconds, SliceLengthMin, FlushLength + BaoEncoder.GroupEncodingLengthMax);
    }

    /// <summary>Cancelled when the response is given up, for whatever reason.</summary>
    public CancellationToken Token => _cancelled.Token;

    /// <summary>Called after each write with all bytes so far; null = nobody wants to know.</summary>
    public Action<long>? OnProgress { get; init; }

    /// <summary>Bytes that were handed to the stream.</summary>
    public long BytesSent { get; private set; }

    /// <summary>Whether there is content in what was taken so far, and not only sizes and pairs.</summary>
    public bool HasContent { get; set; }

    /// <summary>Whether there is no room for a group's encoding: <see cref="FlushAsync"/> makes it.</summary>
    public bool IsFull => _length >= FlushLength;

    /// <summary>Room for what comes next: the encoding of a group at least, unless <see cref="IsFull"/>.</summary>
    public Span<byte> Free => _buffer.AsSpan(_length);

    /// <summary>Takes the front of <see cref="Free"/>.</summary>
    public void Advance(int length) => _length += length;

    /// <summary>Takes bytes.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(Free);
        _length += bytes.Length;
    }

    /// <summary>Writes what was gathered.</summary>
    public async ValueTask FlushAsync()
    {
        for (int start = 0; start < _length; start += _sliceLength)
            await WriteAsync(_buffer.AsMemory(start, Math.Min(_sliceLength, _length - start))).ConfigureAwait(false);
        _length = 0;
        OnProgress?.Invoke(BytesSent);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_buffer);
        _cancelled.Dispose();
        _sendTimer.Dispose();
    }

    private async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes)
    {
        await WaitForRateAsync(_place?.PeerRate, bytes.Length).ConfigureAwait(false);
        await WaitForRateAsync(_place?.TotalRate, bytes.Length).ConfigureAwait(false);
        ValueTask write = _stream.Output.WriteAsync(bytes, _cancelled.Token);
        if (!write.IsCompletedSuccessfully)
        {
            _sendTimer.CancelAfter(_options.SendTimeout);
            await write.ConfigureAwait(false);
            _sendTimer.CancelAfter(Timeout.InfiniteTimeSpan);
        }

        BytesSent += bytes.Length;
        _metrics?.OnSent(bytes.Length);
    }

    private async ValueTask WaitForRateAsync(ByteRate? rate, int bytes)
    {
        if (rate is null)
            return;
        double now = (double)_options.TimeProvider.GetTimestamp() / _options.TimeProvider.TimestampFrequency;
        double wait = rate.Book(now, bytes);
        if (wait > 0)
            await Task.Delay(TimeSpan.FromSeconds(wait), _options.TimeProvider, _cancelled.Token).ConfigureAwait(false);
    }
}
