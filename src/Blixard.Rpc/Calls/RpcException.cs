namespace Blixard.Rpc.Calls;

/// <summary>A call that did not succeed. Handlers throw it to answer with a status; callers get it with the status that came
/// back, or with the one that describes the transport's failure.</summary>
public sealed class RpcException : Exception
{
    /// <summary>A failure with a status.</summary>
    /// <param name="code">How it ended; not <see cref="RpcStatusCode.Ok"/>.</param>
    /// <param name="message">What went wrong, for people. It is sent to the caller.</param>
    /// <param name="stage">How far the call had come; handlers leave it as it is.</param>
    /// <param name="details">Facts that belong to the code.</param>
    /// <param name="inner">The cause on this side, if there is one; it is not sent.</param>
    public RpcException(
        RpcStatusCode code,
        string message,
        RpcFailureStage stage = RpcFailureStage.Answered,
        ReadOnlyMemory<byte> details = default,
        Exception? inner = null)
        : base(message, inner)
    {
        ArgumentOutOfRangeException.ThrowIfEqual((int)code, (int)RpcStatusCode.Ok, nameof(code));
        StatusCode = code;
        Stage = stage;
        Details = details;
    }

    /// <summary>How the call ended.</summary>
    public RpcStatusCode StatusCode { get; }

    /// <summary>How far it had come.</summary>
    public RpcFailureStage Stage { get; }

    /// <summary>Facts that belong to the code; usually empty.</summary>
    public ReadOnlyMemory<byte> Details { get; }

    /// <summary>True when the transport failed and not the operation: another transport may succeed.</summary>
    public bool IsTransportFailure =>
        Stage is RpcFailureStage.NotSent or RpcFailureStage.AwaitingResponse or RpcFailureStage.DuringResponse;

    internal RpcStatus ToStatus() => new(StatusCode, Message, Details);
}
