namespace Blixard.Rpc.Calls;

/// <summary>How far a failed call had come. It decides whether trying again over another transport is safe.</summary>
public enum RpcFailureStage
{
    /// <summary>The peer received the call and answered with this status.</summary>
    Answered,
    /// <summary>The request surely did not reach the peer: no connection, or no stream for it.</summary>
    NotSent,
    /// <summary>The transport failed after the request may have reached the peer and before anything came back.</summary>
    AwaitingResponse,
    /// <summary>The transport failed, or the peer broke the protocol, after part of the answer had come.</summary>
    DuringResponse,
    /// <summary>The caller's own side ended it: its deadline passed, or the request could not be encoded.</summary>
    Local,
}
