namespace Blixard.Rpc.Calls;

/// <summary>Limits that hold on every transport.</summary>
public static class RpcLimits
{
    /// <summary>The longest encoded message and the longest frame payload in bytes: 10 MiB. Larger things (images, logs) are
    /// streamed in pieces; a bigger limit would let one call hold that much memory on both sides. A
    /// request over P2P shares its frame with service, method and metadata, which count too.</summary>
    public const int MessageLengthMax = 10 * 1024 * 1024;

    /// <summary>Length of an endpoint id in bytes.</summary>
    public const int EndpointIdLength = 32;
}
