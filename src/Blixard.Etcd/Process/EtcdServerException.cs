namespace Blixard.Etcd.Process;

/// <summary>Why etcd cannot run here.</summary>
public enum EtcdServerFailure
{
    /// <summary>No such executable file was found.</summary>
    ProgramMissing,

    /// <summary>There is a program, but it does not run or does not say its version as etcd does.</summary>
    ProgramUnusable,

    /// <summary>It is an etcd of a version that is not supported.</summary>
    VersionRefused,

    /// <summary>The directory cannot be made, opened or cleared.</summary>
    DirectoryUnusable,

    /// <summary>A member should go on, and its data are not there.</summary>
    DataMissing,

    /// <summary>An etcd of a former run is still in the directory and could not be ended.</summary>
    LeftOver,

    /// <summary>The cluster has removed this member for good.</summary>
    Removed,

    /// <summary>The server was stopped while it was waited for.</summary>
    Stopped,
}

/// <summary>etcd cannot run here. The message says what was found, where, and what to do.</summary>
public sealed class EtcdServerException(EtcdServerFailure failure, string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>What kind of failure it is.</summary>
    public EtcdServerFailure Failure { get; } = failure;
}
