using Iroh.Base;
using Iroh.Quic;

namespace Iroh;

/// <summary>Why a dial failed.</summary>
public enum IrohConnectFailure
{
    /// <summary>The address holds nothing that this endpoint can dial.</summary>
    NoAddress,

    /// <summary>The endpoint was to dial itself.</summary>
    Self,

    /// <summary>Nobody answered at any address.</summary>
    TimedOut,

    /// <summary>Somebody answered who has another key: an old address, or an impostor.</summary>
    WrongEndpointId,

    /// <summary>The other endpoint does not speak the protocol that was asked for.</summary>
    ProtocolNotSupported,

    /// <summary>The other endpoint refused or broke off.</summary>
    Refused,
}

/// <summary>A dial failed. The message names the endpoint, what was tried and what happened.</summary>
public sealed class IrohConnectException : IOException
{
    internal IrohConnectException(IrohConnectFailure failure, EndpointId remoteId, string message, QuicConnectionException? inner = null)
        : base(message, inner) => (Failure, RemoteId) = (failure, remoteId);

    /// <summary>What went wrong.</summary>
    public IrohConnectFailure Failure { get; }

    /// <summary>Who was dialled.</summary>
    public EndpointId RemoteId { get; }

    /// <summary>The close reason of the attempt, null if none was made.</summary>
    public QuicCloseReason? CloseReason => (InnerException as QuicConnectionException)?.CloseReason;

    /// <summary>Whether the same dial may succeed later without anybody changing anything.</summary>
    public bool IsTransient => Failure == IrohConnectFailure.TimedOut || InnerException is QuicConnectionException { IsTransient: true };
}
