namespace Blixard.Cluster.Store;

/// <summary>Why a change of a record was refused.</summary>
public enum RecordFailure
{
    /// <summary>There is no such record.</summary>
    NotFound,

    /// <summary>There is a record with this name.</summary>
    AlreadyExists,

    /// <summary>The record is in a state, or was changed meanwhile, so that the change makes no sense.</summary>
    Conflict,

    /// <summary>The record is not allowed as it is.</summary>
    Invalid,
}

/// <summary>A change of a VM's or an image's record was refused; nothing has changed. The message is for people.</summary>
public sealed class RecordException(RecordFailure failure, string message) : Exception(message)
{
    /// <summary>Why.</summary>
    public RecordFailure Failure { get; } = failure;
}
