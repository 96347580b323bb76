using System.Runtime.CompilerServices;
using Iroh.Blobs.Ranges;
using Iroh.Blobs.Requests;
using Iroh.Blobs.Store;
using Iroh.Blobs.Transfer.Receiving;

namespace Iroh.Blobs.Transfer;

/// <summary>Asks sources what they have of a blob, now and as it grows.</summary>
public static class BlobObserver
{
    /// <summary>Long enough never to pass: an observer waits for news, which may not come for days.</summary>
    private static readonly BlobTransferOptions Patient = new()
    {
        StallTimeout = TimeSpan.FromDays(30),
        TrickleWindow = TimeSpan.FromDays(30),
        BytesPerSecondMin = 0,
    };

    /// <summary>
    /// What a source has of a blob. Nothing of it is proven; the size is what the source takes it to be. Sources of iroh-blobs before 0.90 do
    /// not know the question, and end without a word.
    /// </summary>
    /// <param name="source">Whom to ask.</param>
    /// <param name="hash">The blob.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>Ends when the source says no more: it has all, or is gone.</returns>
    /// <exception cref="IOException">The source cannot be asked.</exception>
    public static async IAsyncEnumerable<BlobBitfield> ObserveAsync(
        IBlobSource source, BlobHash hash, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        await using IBlobStream stream = await source.OpenStreamAsync(cancellationToken).ConfigureAwait(false);
        await stream.Output.WriteAsync(new ObserveRequest(hash, ChunkRanges.All).ToBytes(), cancellationToken).ConfigureAwait(false);
        stream.CompleteWrites();
        using var watch = new SourceWatch(Patient, cancellationToken);
        using var reader = new ResponseReader(stream.Input, watch, ResponseReader.RequestLength);
        ChunkRanges ranges = ChunkRanges.Empty;
        while (await FrameReader.ReadAsync(reader).ConfigureAwait(false) is { } body && ObserveItem.TryRead(body, out ObserveItem? item))
        {
            // Later items are what changed. What grew is added; what shrank, which is rare, is found out when it is asked for.
            ranges = ranges.Union(item.Ranges);
            yield return new BlobBitfield(item.Size, IsSizeVerified: false, ranges);
        }
    }
}
