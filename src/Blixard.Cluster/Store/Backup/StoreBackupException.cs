namespace Blixard.Cluster.Store.Backup;

/// <summary>What is wrong with a backup file.</summary>
public enum StoreBackupFailure
{
    /// <summary>It is some other file.</summary>
    NotABackup,

    /// <summary>It is a backup in a format that this version does not know.</summary>
    UnknownVersion,

    /// <summary>It ends too early.</summary>
    Truncated,

    /// <summary>It was altered: its checksum is not right, or what it says cannot be.</summary>
    Damaged,
}

/// <summary>A file is no usable backup. The message completes a sentence that begins with the file's name: "ends too early".</summary>
public sealed class StoreBackupException(StoreBackupFailure failure, string message) : Exception(message)
{
    /// <summary>What sort of trouble it is.</summary>
    public StoreBackupFailure Failure { get; } = failure;
}
