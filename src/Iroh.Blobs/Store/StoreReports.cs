namespace Iroh.Blobs.Store;

/// <summary>What a collection did.</summary>
/// <param name="RemovedBlobs">Blobs that nothing kept, partial ones included.</param>
/// <param name="FreedBytes">Bytes of theirs that were here.</param>
/// <param name="KeptBlobs">Blobs that remain.</param>
public sealed record GarbageReport(int RemovedBlobs, long FreedBytes, int KeptBlobs);

/// <summary>What can be wrong in a store.</summary>
public enum StoreProblem
{
    /// <summary>A file that belongs to nothing. Repair: it is removed.</summary>
    OrphanFile,

    /// <summary>A file or row of a blob is gone or has another length. Repair: the blob is forgotten.</summary>
    MissingContent,

    /// <summary>Content does not have the hash that it is stored under. Repair: what is wrong is given up, so that it can be fetched
    /// again.</summary>
    WrongContent,

    /// <summary>The tree of hashes that proves a blob's parts is wrong or gone. Repair: it is made again from the content.</summary>
    WrongOutboard,

    /// <summary>A partial blob's record says that chunks are here that are not. Repair: they are taken out of it.</summary>
    WrongBitfield,

    /// <summary>A file that the store refers to has changed or is gone. Repair: the blob is forgotten.</summary>
    ChangedReference,
}

/// <summary>One thing that a check found wrong.</summary>
/// <param name="Problem">What kind of thing.</param>
/// <param name="Hash">The blob; null for files that belong to none.</param>
/// <param name="Detail">What was found, for people.</param>
/// <param name="BadBytes">Bytes of the blob that are wrong, gone, or cannot be proven. A repair gives them up, and the next download fetches
/// nothing else; 0 where no content is lost.</param>
/// <param name="IsRepaired">Whether it is right again.</param>
public sealed record CheckFinding(StoreProblem Problem, BlobHash? Hash, string Detail, long BadBytes, bool IsRepaired);

/// <summary>What a check found.</summary>
/// <param name="CheckedBlobs">Blobs that were looked at.</param>
/// <param name="CheckedBytes">Bytes that were read and hashed.</param>
/// <param name="Findings">What was wrong; empty if all is well.</param>
public sealed record CheckReport(int CheckedBlobs, long CheckedBytes, IReadOnlyList<CheckFinding> Findings)
{
    /// <summary>Whether nothing is wrong, or no more.</summary>
    public bool IsSound => Findings.All(static finding => finding.IsRepaired);
}

/// <summary>How far a check is.</summary>
/// <param name="CheckedBytes">Bytes that were hashed.</param>
/// <param name="TotalBytes">Bytes that there were to hash when it began.</param>
public readonly record struct CheckProgress(long CheckedBytes, long TotalBytes);
