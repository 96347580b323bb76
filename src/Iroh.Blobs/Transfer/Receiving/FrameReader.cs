using Iroh.Blobs.Requests;

namespace Iroh.Blobs.Transfer.Receiving;

/// <summary>Reads bodies that have their length in front: pushes and what observers are told.</summary>
internal static class FrameReader
{
    /// <summary>Reads the next body.</summary>
    /// <returns>Null if the stream ends before, or the length is none or beyond <see cref="BlobProtocol.RequestLengthMax"/>.</returns>
    public static async ValueTask<byte[]?> ReadAsync(ResponseReader input)
    {
        var header = new byte[BlobProtocol.FrameHeaderLengthMax];
        int bodyLength;
        for (int length = 1; ; length++)
        {
            if (length > header.Length || !await input.FillAsync(1).ConfigureAwait(false))
                return null;
            header[length - 1] = input.Take(1).Span[0];
            FrameHeaderResult result = BlobProtocol.ReadFrameHeader(header.AsSpan(0, length), out _, out bodyLength);
            if (result == FrameHeaderResult.Invalid)
                return null;
            if (result == FrameHeaderResult.Complete)
                break;
        }

        // Grows with what comes, not with what is announced.
        var body = new MemoryStream();
        while (body.Length < bodyLength)
        {
            if (!await input.FillAsync(1).ConfigureAwait(false))
                return null;
            body.Write(input.Take((int)Math.Min(input.Available, bodyLength - body.Length)).Span);
        }

        return body.ToArray();
    }
}
