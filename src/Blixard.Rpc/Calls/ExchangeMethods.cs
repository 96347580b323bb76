using Blixard.V1;

namespace Blixard.Rpc.Calls;

/// <summary>The methods of <c>blixard.v1.Exchange</c>; proto/blixard/v1/exchange.proto says what they do.</summary>
public static class ExchangeMethods
{
    /// <summary>One stream.</summary>
    public static readonly RpcMethod<ExchangeFrame, ExchangeFrame> Open =
        RpcMethod.Duplex<ExchangeFrame, ExchangeFrame>(ExchangeReflection.Descriptor, "Exchange", "Open");
}
