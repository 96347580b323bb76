namespace Blixard.Node.Maintenance;

/// <summary>The sorts of reasons for which work on a store is not done.</summary>
public enum StoreMaintenanceFailure
{
    /// <summary>An option does not fit.</summary>
    Usage,

    /// <summary>Something is in the way: a file, the disk, a missing tool.</summary>
    Failed,

    /// <summary>It would replace something, and nobody said that it may.</summary>
    Refused,
}

/// <summary>Work on a store was not done, and the store is as it was. The message is for people: what was wrong and what to do.</summary>
public sealed class StoreMaintenanceException(StoreMaintenanceFailure failure, string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>What sort of reason it is.</summary>
    public StoreMaintenanceFailure Failure { get; } = failure;
}
