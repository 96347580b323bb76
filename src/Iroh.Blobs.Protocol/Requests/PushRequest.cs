using System.Diagnostics.CodeAnalysis;
using Iroh.Base.Serialization;
using Iroh.Blobs.Ranges;

namespace Iroh.Blobs.Requests;

/// <summary>
/// Offers ranges of a blob and of its children: what a <see cref="GetRequest"/> would be answered with follows on the same stream. There
/// is no answer.
/// </summary>
/// <param name="Hash">The blob.</param>
/// <param name="Ranges">What of it (offset 0), and of its children (offset 1 and up), follows.</param>
public sealed record PushRequest(BlobHash Hash, ChunkRangesSequence Ranges)
{
    /// <summary>Reads the body: what follows the type byte and the length (<see cref="BlobProtocol.ReadFrameHeader"/>).</summary>
    public static bool TryRead(ReadOnlySpan<byte> body, [NotNullWhen(true)] out PushRequest? request)
    {
        request = GetRequest.TryRead(body, out GetRequest? same) ? new PushRequest(same.Hash, same.Ranges) : null;
        return request is not null;
    }

    /// <summary>The request as it opens a stream: type byte, length, body.</summary>
    public byte[] ToBytes()
    {
        var body = new PostcardWriter();
        body.WriteFixed(Hash.ToArray());
        Ranges.Write(body);
        var writer = new PostcardWriter();
        writer.WriteByte((byte)BlobRequestType.Push);
        writer.WriteBytes(body.Written);
        return writer.ToArray();
    }
}
