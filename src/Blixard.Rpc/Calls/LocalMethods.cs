using Blixard.V1;

namespace Blixard.Rpc.Calls;

/// <summary>The methods of <c>blixard.v1.Local</c>; proto/blixard/v1/local.proto says what they do.</summary>
public static class LocalMethods
{
    /// <summary>Ends the node's process.</summary>
    public static readonly RpcMethod<ShutdownRequest, ShutdownResponse> Shutdown =
        RpcMethod.Unary<ShutdownRequest, ShutdownResponse>(LocalReflection.Descriptor, "Local", "Shutdown");
}
