using Iroh.Blobs.Ranges;

namespace Iroh.Blobs.Bao;

/// <summary>How far a <see cref="BaoDecoder"/> is.</summary>
public enum BaoDecoderState
{
    /// <summary>The next item is due.</summary>
    Reading,

    /// <summary>All that was selected is there and proven.</summary>
    Complete,

    /// <summary>An item is not what the hash says: whoever sent it is lying or broken.</summary>
    HashMismatch,

    /// <summary>The claimed size is beyond <see cref="BaoTree.SizeMax"/>: no blob is that large.</summary>
    SizeTooLarge,
}

/// <summary>
/// Proves the verified stream of one blob item by item, before anything is done with it. Holds a few kilobytes, whatever size is
/// claimed, and does not keep what it has seen. Has one owner at a time.
/// </summary>
/// <remarks>
/// The size is the sender's claim until the blob's last chunk has been proven: only its place in the tree proves it.
/// <code>
/// var decoder = new BaoDecoder(hash, size, ranges);
/// while (decoder.NeededLength > 0)
/// {
///     await source.ReadExactlyAsync(buffer[..decoder.NeededLength]);
///     if (!decoder.TryAccept(buffer[..decoder.NeededLength], out BaoItem item)) …
/// }
/// </code>
/// </remarks>
public sealed class BaoDecoder
{
    /// <summary>The largest <see cref="NeededLength"/>: a buffer of this length holds any item.</summary>
    public const int NeededLengthMax = BaoTree.GroupLength;

    private readonly BaoWalk? _walk;
    private readonly ExpectedValues _expected;

    /// <summary>Starts behind the size, which is the first thing in a stream.</summary>
    /// <param name="root">The blob that was asked for.</param>
    /// <param name="size">The size that the sender claims; any number.</param>
    /// <param name="ranges">What was asked for, as it was asked for.</param>
    public BaoDecoder(BlobHash root, ulong size, ChunkRanges ranges)
    {
        ArgumentNullException.ThrowIfNull(ranges);
        Size = size;
        _expected = new ExpectedValues(root);
        if (size > BaoTree.SizeMax)
        {
            State = BaoDecoderState.SizeTooLarge;
            return;
        }

        // Nothing is sent for the empty blob: its size alone is the proof.
        if ((size == 0 || root.IsEmpty) && !ranges.IsEmpty)
        {
            IsSizeProven = size == 0 && root.IsEmpty;
            State = IsSizeProven ? BaoDecoderState.Complete : BaoDecoderState.HashMismatch;
            return;
        }

        _walk = new BaoWalk(size, ranges);
        Advance();
    }

    /// <summary>The size that the sender claims.</summary>
    public ulong Size { get; }

    /// <summary>How far this is.</summary>
    public BaoDecoderState State { get; private set; }

    /// <summary>The item that is due while <see cref="State"/> is <see cref="BaoDecoderState.Reading"/>.</summary>
    public BaoItem Needed => _walk?.Current ?? default;

    /// <summary>Bytes of the item that is due, 1 to <see cref="NeededLengthMax"/>; 0 if nothing more is read.</summary>
    public int NeededLength => State == BaoDecoderState.Reading ? Needed.EncodedLength : 0;

    /// <summary>Whether the blob's last chunk has been proven, and with it the size.</summary>
    public bool IsSizeProven { get; private set; }

    /// <summary>Proves the item that is due.</summary>
    /// <param name="bytes">Exactly <see cref="NeededLength"/> bytes, more than none.</param>
    /// <param name="item">What they are, proven or not.</param>
    /// <returns>
    /// True if they are proven, and the next item is due or the stream is complete. False if not: <see cref="State"/> is
    /// <see cref="BaoDecoderState.HashMismatch"/>, and nothing more is accepted.
    /// </returns>
    /// <exception cref="InvalidOperationException">Nothing is due.</exception>
    public bool TryAccept(ReadOnlySpan<byte> bytes, out BaoItem item)
    {
        if (State != BaoDecoderState.Reading)
            throw new InvalidOperationException("No item is due.");
        ArgumentOutOfRangeException.ThrowIfNotEqual(bytes.Length, NeededLength);
        item = Needed;
        bool proven = item.Kind == BaoItemKind.Pair
            ? _expected.TryTakePair(item, bytes)
            : _expected.TryTakeContent(item.FirstChunk, item.IsRoot, bytes);
        if (!proven)
        {
            State = BaoDecoderState.HashMismatch;
            return false;
        }

        IsSizeProven |= item.Kind == BaoItemKind.Leaf && (ulong)(item.Offset + item.Length) == Size;
        Advance();
        return true;
    }

    private void Advance() => State = _walk!.MoveNext() ? BaoDecoderState.Reading : BaoDecoderState.Complete;
}
