using Iroh.Blobs.Ranges;
using Iroh.Blobs.Requests;
using Iroh.Blobs.Store;
using Iroh.Blobs.Transfer;

namespace Iroh.Blobs.Provider;

/// <summary>Tells an observer what is here of a blob: first all, then what changed, until the blob is complete or the observer has had enough.</summary>
/// <param name="store">Where the blob is or will be.</param>
/// <param name="options">How often.</param>
/// <param name="budgets">Knows how many others listen.</param>
internal sealed class ObserveResponder(IBlobStore store, BlobProviderOptions options, PeerBudgets budgets)
{
    /// <summary>So many observers hear at the shortest interval. More share the reports that these would get: where everybody tells everybody,
    /// reports grow with the square of their number, and with eight downloaders on two processors they took a fifteenth of the time.</summary>
    private const int ObserversAtShortestInterval = 4;

    /// <summary>The longest interval, in shortest ones: a second by default, after which a piece is still news.</summary>
    private const int IntervalsMax = 20;

    /// <summary>The most ranges that are told: their frame stays below the limit of a request, whatever their numbers are. A blob with more
    /// holes is told from its beginning.</summary>
    private const int RangesMax = 32 * 1024;

    /// <summary>Answers one observer.</summary>
    /// <param name="hash">The blob, known or not.</param>
    /// <param name="stream">The observer's.</param>
    /// <param name="output">Where the frames go.</param>
    public async ValueTask<BlobRequestOutcome> AnswerAsync(BlobHash hash, IBlobStream stream, ResponseWriter output)
    {
        // An observer of a blob that does not change would otherwise be noticed as gone only with the next change.
        using var gone = CancellationTokenSource.CreateLinkedTokenSource(output.Token);
        _ = stream.ReadsStopped.ContinueWith(
            static (_, source) => Cancel((CancellationTokenSource)source!), gone, gone.Token, TaskContinuationOptions.None, TaskScheduler.Default);
        ChunkRanges? told = null;
        ulong size = 0;
        await foreach (BlobBitfield bitfield in store.ObserveAsync(hash, gone.Token).ConfigureAwait(false))
        {
            ChunkRanges present = bitfield.Present.FirstRanges(RangesMax);
            ChunkRanges change = told is null ? present : present.SymmetricExcept(told);
            if (told is not null && change.IsEmpty && bitfield.Size == size)
                continue;
            (told, size) = (present, bitfield.Size);
            await SendAsync(new ObserveItem(bitfield.Size, change).ToFrame(), output).ConfigureAwait(false);
            if (bitfield.IsComplete)
                break;
            await Task.Delay(Interval(options.ObserveInterval, budgets.Observers), options.TimeProvider, gone.Token).ConfigureAwait(false);
        }

        return BlobRequestOutcome.Completed;
    }

    /// <summary>How long to wait until the next report.</summary>
    /// <param name="shortest">The shortest time between two.</param>
    /// <param name="observers">How many observers there are, of all blobs.</param>
    internal static TimeSpan Interval(TimeSpan shortest, int observers) =>
        shortest * Math.Clamp((double)observers / ObserversAtShortestInterval, 1, IntervalsMax);

    private static async ValueTask SendAsync(ReadOnlyMemory<byte> frame, ResponseWriter output)
    {
        while (frame.Length > 0)
        {
            int length = Math.Min(frame.Length, output.Free.Length);
            output.Append(frame.Span[..length]);
            frame = frame[length..];
            await output.FlushAsync().ConfigureAwait(false);
        }
    }

    private static void Cancel(CancellationTokenSource source)
    {
        try
        {
            source.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It ended by itself meanwhile.
        }
    }
}
