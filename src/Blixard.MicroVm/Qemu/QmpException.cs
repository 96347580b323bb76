namespace Blixard.MicroVm.Qemu;

/// <summary>A QMP command or connection failed.</summary>
internal sealed class QmpException : Exception
{
    public QmpException(QmpFailure failure, string message, Exception? inner = null)
        : base(message, inner)
    {
        Failure = failure;
    }

    public QmpFailure Failure { get; }
}

/// <summary>How far a QMP failure reaches.</summary>
internal enum QmpFailure
{
    /// <summary>QEMU refused this command; the connection goes on.</summary>
    Command,

    /// <summary>The connection ended.</summary>
    Closed,

    /// <summary>The other end broke the protocol; the connection is closed.</summary>
    Protocol,
}
