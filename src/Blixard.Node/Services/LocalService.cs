using Blixard.Rpc.Calls;
using Blixard.Rpc.Services;
using Blixard.V1;

namespace Blixard.Node.Services;

/// <summary>What only this machine may ask of the node.</summary>
internal sealed class LocalService(NodeLifetime lifetime)
{
    public RpcService Bind() => new RpcService(LocalReflection.Descriptor, "Local").Unary(LocalMethods.Shutdown, ShutdownAsync);

    private Task<ShutdownResponse> ShutdownAsync(ShutdownRequest request, RpcContext context)
    {
        if (context.Peer.Transport != RpcTransport.Local)
            throw new RpcException(RpcStatusCode.PermissionDenied, "only the node's own machine may stop it, on its unix socket");
        lifetime.EndAfterAnswer("asked to stop over the local API");
        return Task.FromResult(new ShutdownResponse());
    }
}
