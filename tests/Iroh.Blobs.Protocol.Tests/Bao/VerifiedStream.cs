using Iroh.Blobs.Bao;
using Iroh.Blobs.Ranges;

namespace Iroh.Blobs.Protocol.Tests.Bao;

/// <summary>Whole streams in memory, made and read with the encoder and the decoder.</summary>
internal static class VerifiedStream
{
    /// <summary>The size and the selection of a blob; nothing at all if nothing is selected.</summary>
    /// <param name="content">The blob.</param>
    /// <param name="ranges">The selection.</param>
    /// <param name="isProven">Whether the encoder is told that whole groups were proven before.</param>
    public static byte[] Encode(byte[] content, ChunkRanges ranges, bool isProven = false)
    {
        if (ranges.IsEmpty)
            return [];
        BlobHash root = OutboardBuilder.Build(content, out byte[] outboard);
        var stream = new MemoryStream();
        var buffer = new byte[BaoEncoder.GroupEncodingLengthMax];
        BaoTree.WriteSize(buffer, (ulong)content.Length);
        stream.Write(buffer, 0, BaoTree.SizeHeaderLength);
        var encoder = new BaoEncoder(root, (ulong)content.Length, ranges);
        while (encoder.Need != BaoEncoderNeed.Nothing)
        {
            if (encoder.Need == BaoEncoderNeed.Pair)
            {
                ReadOnlySpan<byte> pair = outboard.AsSpan((int)encoder.PairOffset, BaoTree.PairLength);
                Assert.True(encoder.TryTakePair(pair));
                stream.Write(pair);
                continue;
            }

            ReadOnlySpan<byte> group = content.AsSpan((int)encoder.GroupOffset, encoder.GroupLength);
            if (encoder.Need == BaoEncoderNeed.WholeGroup)
            {
                if (isProven)
                    encoder.TakeProvenGroup();
                else
                    Assert.True(encoder.TryTakeWholeGroup(group));
                stream.Write(group);
            }
            else
            {
                Assert.True(encoder.TryTakePartOfGroup(group, buffer, out int written));
                stream.Write(buffer, 0, written);
            }
        }

        return stream.ToArray();
    }

    /// <summary>Reads a stream from a position on as a receiver would: what it says first is its size.</summary>
    public static DecodedBlob Decode(ReadOnlySpan<byte> stream, BlobHash root, ChunkRanges ranges)
    {
        var result = new DecodedBlob { State = BaoDecoderState.Reading };
        if (ranges.IsEmpty)
            return result with { State = BaoDecoderState.Complete };
        if (stream.Length < BaoTree.SizeHeaderLength)
            return result;
        var decoder = new BaoDecoder(root, BaoTree.ReadSize(stream), ranges);
        int position = BaoTree.SizeHeaderLength;
        while (decoder.NeededLength > 0 && decoder.NeededLength <= stream.Length - position)
        {
            ReadOnlySpan<byte> bytes = stream.Slice(position, decoder.NeededLength);
            if (!decoder.TryAccept(bytes, out BaoItem item))
                break;
            position += bytes.Length;
            if (item.Kind == BaoItemKind.Leaf)
                result.Leaves.Add((item.Offset, bytes.ToArray()));
            else if (!item.IsInGroup)
                result.Pairs.Add((item.OutboardOffset, bytes.ToArray()));
        }

        return result with { State = decoder.State, Length = position, IsSizeProven = decoder.IsSizeProven };
    }
}

internal sealed record DecodedBlob
{
    public required BaoDecoderState State { get; init; }

    public int Length { get; init; }

    public bool IsSizeProven { get; init; }

    public List<(long Offset, byte[] Bytes)> Leaves { get; } = [];

    public List<(long Offset, byte[] Bytes)> Pairs { get; } = [];
}
