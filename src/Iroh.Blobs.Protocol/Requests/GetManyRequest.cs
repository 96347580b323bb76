using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Iroh.Base.Serialization;
using Iroh.Blobs.Ranges;

namespace Iroh.Blobs.Requests;

/// <summary>Asks for ranges of several blobs, without children. The answer is as for <see cref="GetRequest"/>, in the order of the list.</summary>
/// <param name="Hashes">The blobs.</param>
/// <param name="Ranges">What of each: offset i belongs to hash i.</param>
public sealed record GetManyRequest(ImmutableArray<BlobHash> Hashes, ChunkRangesSequence Ranges)
{
    /// <summary>Reads what follows the type byte. Bytes behind the request are ignored, as iroh does.</summary>
    public static bool TryRead(ReadOnlySpan<byte> body, [NotNullWhen(true)] out GetManyRequest? request)
    {
        request = null;
        var reader = new PostcardReader(body);
        if (body.Length > BlobProtocol.RequestLengthMax
            || !reader.TryReadUInt64(out ulong count)
            || count > (ulong)reader.Remaining / BlobHash.Length)
            return false;
        var hashes = ImmutableArray.CreateBuilder<BlobHash>((int)count);
        for (ulong i = 0; i < count; i++)
        {
            reader.TryReadFixed(BlobHash.Length, out ReadOnlySpan<byte> hash);
            hashes.Add(new BlobHash(hash));
        }

        if (!ChunkRangesSequence.TryRead(ref reader, out ChunkRangesSequence ranges))
            return false;
        request = new GetManyRequest(hashes.MoveToImmutable(), ranges);
        return true;
    }

    /// <summary>The request as it opens a stream, type byte and all.</summary>
    public byte[] ToBytes()
    {
        var writer = new PostcardWriter();
        writer.WriteByte((byte)BlobRequestType.GetMany);
        writer.WriteVarint((ulong)Hashes.Length);
        foreach (BlobHash hash in Hashes)
            writer.WriteFixed(hash.ToArray());
        Ranges.Write(writer);
        return writer.ToArray();
    }

    /// <inheritdoc/>
    public bool Equals(GetManyRequest? other) =>
        other is not null && Hashes.AsSpan().SequenceEqual(other.Hashes.AsSpan()) && Ranges.Equals(other.Ranges);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Hashes.Length, Hashes.IsEmpty ? default : Hashes[0], Ranges);
}
