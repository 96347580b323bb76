using System.Buffers;
using System.Buffers.Binary;
using Iroh.Blobs.Bao;
using Iroh.Blobs.Ranges;
using Iroh.Blobs.Store;

namespace Iroh.Blobs.Provider;

/// <summary>
/// Sends selections of blobs as verified streams, each behind its size. What does not fit its hash is never sent, and what is not here as
/// whole groups ends the sending there. Reads runs of groups and holds one of them. One owner.
/// </summary>
/// <param name="store">Where the blobs are.</param>
/// <param name="output">Where they go; the caller's.</param>
internal sealed class BlobSender(IBlobStore store, ResponseWriter output) : IDisposable
{
    /// <summary>What is read of a blob at once at most.</summary>
    private const int RunLength = 256 * 1024;

    /// <summary>What is read of an outboard at once at most: 64 pairs, those of a run of groups and of the way to it.</summary>
    private const int PairsLength = 64 * BaoTree.PairLength;

    private readonly byte[] _run = ArrayPool<byte>.Shared.Rent(RunLength);
    private readonly byte[] _pairs = ArrayPool<byte>.Shared.Rent(PairsLength);
    private long _runOffset;
    private int _runLength;
    private long _pairsOffset;
    private int _pairsLength;

    /// <summary>Sends a selection of a blob.</summary>
    /// <param name="hash">The blob.</param>
    /// <param name="ranges">The selection; none sends nothing.</param>
    /// <returns>
    /// <see cref="BlobRequestOutcome.Completed"/>, <see cref="BlobRequestOutcome.NotFound"/> if it ended where something is missing, or
    /// <see cref="BlobRequestOutcome.Damaged"/>. The last bytes may still wait in the writer.
    /// </returns>
    public async ValueTask<BlobRequestOutcome> SendAsync(BlobHash hash, ChunkRanges ranges)
    {
        if (ranges.IsEmpty)
            return BlobRequestOutcome.Completed;
        try
        {
            using IBlobContent? content = store.TryOpen(hash);

            // A size that is only claimed could make a liar of this end.
            if (content is not { Bitfield: { IsSizeVerified: true } bitfield })
                return BlobRequestOutcome.NotFound;
            if (output.IsFull)
                await output.FlushAsync().ConfigureAwait(false);
            BinaryPrimitives.WriteUInt64LittleEndian(output.Free, bitfield.Size);
            output.Advance(sizeof(ulong));
            return bitfield.Size == 0 ? BlobRequestOutcome.Completed : await SendAsync(content, bitfield.Size, ranges).ConfigureAwait(false);
        }
        catch (BlobDamagedException)
        {
            return BlobRequestOutcome.Damaged;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_run);
        ArrayPool<byte>.Shared.Return(_pairs);
    }

    private async ValueTask<BlobRequestOutcome> SendAsync(IBlobContent content, ulong size, ChunkRanges ranges)
    {
        ChunkRanges groups = ranges.Resolve(size).ExpandToGroups();
        (_runOffset, _runLength, _pairsOffset, _pairsLength) = (0, 0, 0, 0);
        for (var encoder = new BaoEncoder(content.Hash, size, ranges); encoder.Need != BaoEncoderNeed.Nothing;)
        {
            if (output.IsFull)
                await output.FlushAsync().ConfigureAwait(false);
            if (encoder.Need == BaoEncoderNeed.Pair)
            {
                if (!HoldsPair(encoder.PairOffset))
                    await ReadPairsAsync(content, size, encoder.PairOffset).ConfigureAwait(false);
                ReadOnlySpan<byte> pair = _pairs.AsSpan((int)(encoder.PairOffset - _pairsOffset), BaoTree.PairLength);
                if (!encoder.TryTakePair(pair))
                    return await ExplainAsync(content, encoder.GroupOffset).ConfigureAwait(false);
                output.Append(pair);
                continue;
            }

            if (!HoldsGroup(encoder.GroupOffset)
                && !await ReadRunAsync(content, size, groups, encoder.GroupOffset).ConfigureAwait(false))
                return BlobRequestOutcome.NotFound;
            if (!TryAppendGroup(encoder))
                return await ExplainAsync(content, encoder.GroupOffset).ConfigureAwait(false);
            output.HasContent = true;
        }

        return BlobRequestOutcome.Completed;
    }

    private bool HoldsPair(long offset) => offset >= _pairsOffset && offset < _pairsOffset + _pairsLength;

    private bool HoldsGroup(long offset) => offset >= _runOffset && offset < _runOffset + _runLength;

    private bool TryAppendGroup(BaoEncoder encoder)
    {
        ReadOnlySpan<byte> group = _run.AsSpan((int)(encoder.GroupOffset - _runOffset), encoder.GroupLength);
        if (encoder.Need == BaoEncoderNeed.PartOfGroup)
        {
            if (!encoder.TryTakePartOfGroup(group, output.Free, out int written))
                return false;
            output.Advance(written);
            return true;
        }

        // The store has proven what it read.
        encoder.TakeProvenGroup();
        output.Append(group);
        return true;
    }

    private async ValueTask ReadPairsAsync(IBlobContent content, ulong size, long offset)
    {
        (_pairsOffset, _pairsLength) = (offset, (int)Math.Min(PairsLength, BaoTree.OutboardLength(size) - offset));
        await content.ReadPairsAsync(offset, _pairs.AsMemory(0, _pairsLength), output.Token).ConfigureAwait(false);
    }

    /// <summary>Reads the groups from one on that are wanted next to each other. False if it is not here.</summary>
    private async ValueTask<bool> ReadRunAsync(IBlobContent content, ulong size, ChunkRanges groups, long offset)
    {
        int length = (int)Math.Min(RunLength, EndOfRange(groups, size, (ulong)offset) - (ulong)offset);
        _runOffset = offset;

        // A run may end with the blob's short last group, for which the store wants no more room than it has.
        _runLength = await content.ReadGroupsAsync(offset, _run.AsMemory(0, Math.Max(length, BaoTree.GroupLength)), output.Token).ConfigureAwait(false);
        return _runLength > 0;
    }

    /// <summary>A pair or a group did not fit: either it is not here, or it is damaged, of which the store learns by reading it itself.</summary>
    private async ValueTask<BlobRequestOutcome> ExplainAsync(IBlobContent content, long groupOffset)
    {
        int read = await content.ReadGroupsAsync(groupOffset, _run.AsMemory(0, BaoTree.GroupLength), output.Token).ConfigureAwait(false);
        return read == 0 && !content.Bitfield.IsComplete ? BlobRequestOutcome.NotFound : BlobRequestOutcome.Damaged;
    }

    private static ulong EndOfRange(ChunkRanges groups, ulong size, ulong offset)
    {
        ReadOnlySpan<ulong> boundaries = groups.Boundaries;
        int at = boundaries.BinarySearch(offset / BaoTree.ChunkLength);
        int end = at >= 0 ? at + 1 : ~at;
        return end < boundaries.Length ? Math.Min(size, boundaries[end] * BaoTree.ChunkLength) : size;
    }
}
