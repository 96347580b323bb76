namespace Blixard.MicroVm.Model;

/// <summary>An operation on one VM failed. The message is a sentence for people.</summary>
public sealed class VmException : Exception
{
    /// <summary>Creates the exception.</summary>
    public VmException(VmFailure failure, string message, Exception? inner = null)
        : base(message, inner)
    {
        Failure = failure;
    }

    /// <summary>What sort of failure it is.</summary>
    public VmFailure Failure { get; }
}

/// <summary>The sorts of failures of operations on a VM.</summary>
public enum VmFailure
{
    /// <summary>The specification or a name is invalid.</summary>
    InvalidSpec,

    /// <summary>There is no such VM here.</summary>
    NotFound,

    /// <summary>The VM is not running, so there is nothing to talk to.</summary>
    NotRunning,

    /// <summary>A process of this VM runs already.</summary>
    AlreadyRunning,

    /// <summary>The hypervisor is not installed.</summary>
    HypervisorMissing,

    /// <summary>A file of the VM is missing or cannot be read.</summary>
    FileMissing,

    /// <summary>The hypervisor refused to start or did not come up in time.</summary>
    StartFailed,

    /// <summary>Somebody else is attached to the console.</summary>
    ConsoleInUse,

    /// <summary>Another process uses the data directory, or a path is too long for a socket.</summary>
    DirectoryUnusable,
}
