namespace Iroh.Blobs.Transfer;

/// <summary>The other end of an <see cref="IBlobStream"/> gave it up.</summary>
public sealed class BlobStreamAbortedException : IOException
{
    /// <summary>The exception that the transport of a stream throws for it.</summary>
    /// <param name="code">What the other end gave as its reason.</param>
    /// <param name="innerException">The transport's own exception, if it has one.</param>
    public BlobStreamAbortedException(ulong code, Exception? innerException = null)
        : base($"The other end gave the stream up with code {code}.", innerException) => Code = code;

    /// <summary>What the other end gave as its reason: one of <see cref="Requests.BlobErrorCode"/>, or anything.</summary>
    public ulong Code { get; }
}
