using System.Diagnostics.CodeAnalysis;
using Iroh.Base.Serialization;
using Iroh.Blobs.Ranges;

namespace Iroh.Blobs.Requests;

/// <summary>Asks what there is of a blob. The answer is one <see cref="ObserveItem"/> after another until the asker stops the stream.</summary>
/// <param name="Hash">The blob.</param>
/// <param name="Ranges">What of it is of interest; providers may tell more.</param>
public sealed record ObserveRequest(BlobHash Hash, ChunkRanges Ranges)
{
    /// <summary>Reads what follows the type byte. Bytes behind the request are ignored, as iroh does.</summary>
    public static bool TryRead(ReadOnlySpan<byte> body, [NotNullWhen(true)] out ObserveRequest? request)
    {
        request = null;
        var reader = new PostcardReader(body);
        if (body.Length > BlobProtocol.RequestLengthMax
            || !reader.TryReadFixed(BlobHash.Length, out ReadOnlySpan<byte> hash)
            || !ChunkRangesCodec.TryReadDistances(ref reader, out ChunkRanges ranges))
            return false;
        request = new ObserveRequest(new BlobHash(hash), ranges);
        return true;
    }

    /// <summary>The request as it opens a stream, type byte and all.</summary>
    public byte[] ToBytes()
    {
        var writer = new PostcardWriter();
        writer.WriteByte((byte)BlobRequestType.Observe);
        writer.WriteFixed(Hash.ToArray());
        ChunkRangesCodec.WriteDistances(writer, Ranges);
        return writer.ToArray();
    }
}
