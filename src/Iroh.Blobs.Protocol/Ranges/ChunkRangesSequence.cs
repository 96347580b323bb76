using System.Collections.Immutable;
using Iroh.Base.Serialization;

namespace Iroh.Blobs.Ranges;

/// <summary>
/// What is asked of each of a sequence of blobs, run-length encoded: the ranges of a span hold from its offset to the next span's; before
/// the first, nothing is asked; those of the last hold for all that follow. In a request for a hash and its children the blob itself has
/// offset 0 and child k has offset k + 1. Immutable.
/// </summary>
public sealed class ChunkRangesSequence : IEquatable<ChunkRangesSequence>
{
    /// <summary>The most spans that are read: a collection of 64 Ki files, of each of which something else is missing.</summary>
    public const int SpansMax = 64 * 1024;

    private readonly ImmutableArray<Span> _spans;

    private ChunkRangesSequence(ImmutableArray<Span> spans) => _spans = spans;

    /// <summary>Nothing of any blob.</summary>
    public static ChunkRangesSequence Empty { get; } = new([]);

    /// <summary>All of every blob: a hash sequence with all its children.</summary>
    public static ChunkRangesSequence All { get; } = FromRangesOpen([ChunkRanges.All]);

    /// <summary>The spans, in ascending order of their offsets, as they are on the wire.</summary>
    public ImmutableArray<Span> Spans => _spans;

    /// <summary>
    /// Whether this asks for nothing but the first blob, in the one encoding that is taken for a request for a blob alone; any other is
    /// taken for a hash sequence.
    /// </summary>
    public bool IsSingleBlob => _spans is [{ Offset: 0 }, { Offset: 1, Ranges.IsEmpty: true }];

    /// <summary>Whether something is asked of all blobs behind the last span.</summary>
    public bool IsOpen => _spans is [.., { Ranges.IsEmpty: false }];

    /// <summary>Whether nothing is asked of any blob.</summary>
    public bool IsEmpty => _spans.All(span => span.Ranges.IsEmpty);

    /// <summary>What is asked of the blob at an offset.</summary>
    public ChunkRanges this[ulong offset]
    {
        get
        {
            int low = 0, high = _spans.Length;
            while (low < high)
            {
                int middle = (low + high) / 2;
                if (_spans[middle].Offset <= offset)
                    low = middle + 1;
                else
                    high = middle;
            }

            return low == 0 ? ChunkRanges.Empty : _spans[low - 1].Ranges;
        }
    }

    /// <summary>Some ranges of one blob.</summary>
    public static ChunkRangesSequence OfBlob(ChunkRanges ranges)
    {
        ArgumentNullException.ThrowIfNull(ranges);
        return ranges.IsEmpty ? Empty : FromRanges([ranges]);
    }

    /// <summary>Ranges of each of the first blobs, and nothing of those behind.</summary>
    public static ChunkRangesSequence FromRanges(IEnumerable<ChunkRanges> ranges)
    {
        ArgumentNullException.ThrowIfNull(ranges);
        return FromRangesOpen(ranges.Append(ChunkRanges.Empty));
    }

    /// <summary>Ranges of each of the first blobs, the last of them for all that follow, too.</summary>
    public static ChunkRangesSequence FromRangesOpen(IEnumerable<ChunkRanges> ranges)
    {
        ArgumentNullException.ThrowIfNull(ranges);
        var spans = ImmutableArray.CreateBuilder<Span>();
        ChunkRanges last = ChunkRanges.Empty;
        ulong offset = 0;
        foreach (ChunkRanges next in ranges)
        {
            if (!next.Equals(last))
                spans.Add(new Span(offset, next));
            last = next;
            offset++;
        }

        return new ChunkRangesSequence(spans.DrainToImmutable());
    }

    /// <summary>Reads a sequence of at most <see cref="SpansMax"/> spans, whose offsets must ascend.</summary>
    public static bool TryRead(ref PostcardReader reader, out ChunkRangesSequence sequence)
    {
        sequence = Empty;
        // A span has at least two bytes, so what is allocated is in proportion to what has arrived.
        if (!reader.TryReadUInt64(out ulong count) || count > SpansMax || count > (ulong)reader.Remaining / 2)
            return false;
        var spans = ImmutableArray.CreateBuilder<Span>((int)count);
        ulong offset = 0;
        for (int i = 0; i < (int)count; i++)
        {
            if (!reader.TryReadUInt64(out ulong distance)
                || distance > ulong.MaxValue - offset
                || (i > 0 && distance == 0)
                || !ChunkRangesCodec.TryReadDistances(ref reader, out ChunkRanges ranges))
                return false;
            offset += distance;
            spans.Add(new Span(offset, ranges));
        }

        sequence = new ChunkRangesSequence(spans.MoveToImmutable());
        return true;
    }

    /// <summary>Writes the spans.</summary>
    public void Write(PostcardWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteVarint((ulong)_spans.Length);
        ulong last = 0;
        foreach (Span span in _spans)
        {
            writer.WriteVarint(span.Offset - last);
            ChunkRangesCodec.WriteDistances(writer, span.Ranges);
            last = span.Offset;
        }
    }

    /// <summary>The blobs below an offset of which something is asked, in ascending order.</summary>
    /// <param name="count">Blobs that there are: the sequence itself may go on for ever.</param>
    public IEnumerable<Span> Selected(ulong count)
    {
        for (int i = 0; i < _spans.Length; i++)
        {
            if (_spans[i].Ranges.IsEmpty)
                continue;
            ulong end = i + 1 < _spans.Length ? Math.Min(count, _spans[i + 1].Offset) : count;
            for (ulong offset = _spans[i].Offset; offset < end; offset++)
                yield return new Span(offset, _spans[i].Ranges);
        }
    }

    /// <inheritdoc/>
    public bool Equals(ChunkRangesSequence? other) => other is not null && _spans.AsSpan().SequenceEqual(other._spans.AsSpan());

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as ChunkRangesSequence);

    /// <inheritdoc/>
    public override int GetHashCode() => _spans.Length == 0 ? 0 : HashCode.Combine(_spans.Length, _spans[0], _spans[^1]);

    /// <summary>The spans as <c>0: 0..; 1: nothing</c>; the first eight of them.</summary>
    public override string ToString() => string.Join("; ", _spans.Take(8).Select(span => $"{span.Offset}: {span.Ranges}"));

    /// <summary>What is asked from one blob on.</summary>
    /// <param name="Offset">The blob, counted from 0.</param>
    /// <param name="Ranges">What of it, and of those up to the next span.</param>
    public readonly record struct Span(ulong Offset, ChunkRanges Ranges);
}
