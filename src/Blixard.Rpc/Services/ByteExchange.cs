using Blixard.Rpc.Frames;
using Google.Protobuf;

namespace Blixard.Rpc.Services;

/// <summary>The serving side of a call whose stream carries bytes as they are, after one request and one response.</summary>
internal sealed class ByteExchange<TResponse>(ServerExchange exchange)
    where TResponse : class, IMessage<TResponse>
{
    /// <summary>Sends the response. Once.</summary>
    /// <returns>The stream, which stays the transport's; reads continue on the thread that receives.</returns>
    public async ValueTask<RpcStream> AcceptAsync(TResponse response, CancellationToken cancellationToken)
    {
        await exchange.WriteAsync(response, cancellationToken).ConfigureAwait(false);
        return exchange.TakeStream();
    }

    /// <summary>Counts what passed.</summary>
    public void Count(long received, long sent) => exchange.Count(received, sent);
}
