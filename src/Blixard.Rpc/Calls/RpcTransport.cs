namespace Blixard.Rpc.Calls;

/// <summary>The way on which a call travels.</summary>
public enum RpcTransport
{
    /// <summary>Frames on a stream of a connection dialled by key.</summary>
    P2p,
    /// <summary>gRPC over HTTP/2 and TLS.</summary>
    Grpc,
    /// <summary>gRPC over HTTP/2 on the node's own unix socket.</summary>
    Local,
}
