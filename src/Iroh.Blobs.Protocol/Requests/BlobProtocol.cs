using Iroh.Base.Serialization;

namespace Iroh.Blobs.Requests;

/// <summary>The first byte of a stream: what is asked.</summary>
public enum BlobRequestType : byte
{
    /// <summary>A blob, and children of it if it is a hash sequence: <see cref="GetRequest"/>.</summary>
    Get = 0,

    /// <summary>What the other side has of a blob, now and later: <see cref="ObserveRequest"/>.</summary>
    Observe = 1,

    /// <summary>Take content from me: <see cref="PushRequest"/>.</summary>
    Push = 8,

    /// <summary>Several blobs: <see cref="GetManyRequest"/>.</summary>
    GetMany = 9,
}

/// <summary>Why a stream was reset, or a connection closed. The numbers are those of the wire.</summary>
public enum BlobErrorCode : ulong
{
    /// <summary>The peer may not do that.</summary>
    Permission = 1,

    /// <summary>The peer asks for too much at once.</summary>
    RateLimited = 2,

    /// <summary>The content is not there, or is damaged.</summary>
    Internal = 3,
}

/// <summary>What the requests of iroh's blobs protocol (version 4) have in common.</summary>
public static class BlobProtocol
{
    /// <summary>The name under which the protocol is negotiated.</summary>
    public const string ApplicationProtocol = "/iroh-bytes/4";

    /// <summary>The most bytes of a request behind its type byte, and of a frame, as in iroh.</summary>
    public const int RequestLengthMax = 1024 * 1024;

    /// <summary>The most bytes of the length that goes before a frame.</summary>
    public const int FrameHeaderLengthMax = 10;

    /// <summary>Reads the length that goes before the body of a push request or an <see cref="ObserveItem"/>.</summary>
    /// <param name="bytes">What has arrived.</param>
    /// <param name="headerLength">Bytes of the length itself, if it is complete.</param>
    /// <param name="bodyLength">Bytes of the body, at most <see cref="RequestLengthMax"/>.</param>
    /// <returns>
    /// <see cref="FrameHeaderResult.NeedMore"/> as long as the length is not complete, and at most for
    /// <see cref="FrameHeaderLengthMax"/> bytes.
    /// </returns>
    public static FrameHeaderResult ReadFrameHeader(ReadOnlySpan<byte> bytes, out int headerLength, out int bodyLength)
    {
        headerLength = bodyLength = 0;
        if (bytes.Length < FrameHeaderLengthMax && !bytes.ContainsAnyInRange((byte)0, (byte)0x7f))
            return FrameHeaderResult.NeedMore;
        var reader = new PostcardReader(bytes);
        if (!reader.TryReadUInt64(out ulong length) || length > RequestLengthMax)
            return FrameHeaderResult.Invalid;
        headerLength = reader.Position;
        bodyLength = (int)length;
        return FrameHeaderResult.Complete;
    }
}

/// <summary>What <see cref="BlobProtocol.ReadFrameHeader"/> found.</summary>
public enum FrameHeaderResult
{
    /// <summary>The length continues in bytes that have not arrived.</summary>
    NeedMore,

    /// <summary>The length is there.</summary>
    Complete,

    /// <summary>It is not a number, or too large.</summary>
    Invalid,
}
