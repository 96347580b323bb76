namespace Iroh.Blobs.Store;

/// <summary>A store could not do what was asked of it; the message says why and what helps.</summary>
public class BlobStoreException : IOException
{
    internal BlobStoreException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}

/// <summary>There is no room for a blob: the disk or the store's quota is full. What was stored before is untouched, and a download that met
/// it goes on where it stopped when it is started again.</summary>
public sealed class StoreFullException : BlobStoreException
{
    internal StoreFullException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}

/// <summary>What is stored is not what its hash says, or is gone from the disk. Nothing of it was handed out as verified.</summary>
public sealed class BlobDamagedException : BlobStoreException
{
    internal BlobDamagedException(BlobHash hash, long offset, string what, Exception? inner = null)
        : base($"blob {hash} is damaged in this store: {what}", inner)
    {
        Hash = hash;
        Offset = offset;
    }

    /// <summary>Which blob.</summary>
    public BlobHash Hash { get; }

    /// <summary>Where in the blob the damage begins, in bytes.</summary>
    public long Offset { get; }
}

/// <summary>A blob that was asked for is not here, or not the part that is needed.</summary>
public sealed class BlobMissingException : BlobStoreException
{
    internal BlobMissingException(BlobHash hash, string what)
        : base($"blob {hash}: {what}") => Hash = hash;

    /// <summary>Which blob.</summary>
    public BlobHash Hash { get; }
}

/// <summary>
/// What was to be written belongs to a blob of another size than what is here claims. Sizes are claims of whoever sends, until the last chunk
/// proves one. Either the size here is proven, and the writer's source is wrong; or it is not, and the writer should first ask its source for
/// the last chunk: when that is written the claim that was here falls, with all that came under it.
/// </summary>
public sealed class BlobSizeConflictException : BlobStoreException
{
    internal BlobSizeConflictException(BlobHash hash, ulong here, ulong claimed, bool isVerified)
        : base(
            $"blob {hash} has {here} bytes ({(isVerified ? "proven" : "as claimed before")}), not {claimed}"
            + (isVerified ? "" : "; write its last chunk first, which proves its size"))
    {
        IsVerified = isVerified;
    }

    /// <summary>Whether the size here is proven, so that the new claim is wrong.</summary>
    public bool IsVerified { get; }
}

/// <summary>Another process has the store open.</summary>
public sealed class BlobStoreInUseException : BlobStoreException
{
    internal BlobStoreInUseException(string directory, int? processId, Exception? inner = null)
        : base(
            $"the blob store {directory} is in use by {(processId is { } id ? $"process {id}" : "another process")}; stop it, or use another "
            + "directory",
            inner)
    {
        ProcessId = processId;
    }

    /// <summary>The process, if it could be found out.</summary>
    public int? ProcessId { get; }
}
