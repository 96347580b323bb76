using System.Diagnostics.CodeAnalysis;
using Iroh.Base.Serialization;
using Iroh.Blobs.Ranges;

namespace Iroh.Blobs.Requests;

/// <summary>
/// Asks for ranges of a blob and of its children. The end of the stream ends the request; the answer is, for each blob of which
/// something is asked, its size and the verified stream of the selection.
/// </summary>
/// <param name="Hash">The blob.</param>
/// <param name="Ranges">What of it (offset 0), and of its children (offset 1 and up).</param>
public sealed record GetRequest(BlobHash Hash, ChunkRangesSequence Ranges)
{
    /// <summary>Asks for a whole blob, without children.</summary>
    public static GetRequest OfBlob(BlobHash hash) => OfBlob(hash, ChunkRanges.All);

    /// <summary>Asks for ranges of a blob, without children.</summary>
    public static GetRequest OfBlob(BlobHash hash, ChunkRanges ranges) => new(hash, ChunkRangesSequence.OfBlob(ranges));

    /// <summary>Asks for a hash sequence and all its children.</summary>
    public static GetRequest OfHashSequence(BlobHash hash) => new(hash, ChunkRangesSequence.All);

    /// <summary>Reads what follows the type byte. Bytes behind the request are ignored, as iroh does.</summary>
    public static bool TryRead(ReadOnlySpan<byte> body, [NotNullWhen(true)] out GetRequest? request)
    {
        request = null;
        var reader = new PostcardReader(body);
        if (body.Length > BlobProtocol.RequestLengthMax
            || !reader.TryReadFixed(BlobHash.Length, out ReadOnlySpan<byte> hash)
            || !ChunkRangesSequence.TryRead(ref reader, out ChunkRangesSequence ranges))
            return false;
        request = new GetRequest(new BlobHash(hash), ranges);
        return true;
    }

    /// <summary>The request as it opens a stream, type byte and all.</summary>
    public byte[] ToBytes()
    {
        var writer = new PostcardWriter();
        writer.WriteByte((byte)BlobRequestType.Get);
        writer.WriteFixed(Hash.ToArray());
        Ranges.Write(writer);
        return writer.ToArray();
    }
}
