using System.Runtime.CompilerServices;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Services;
using Blixard.V1;

namespace Blixard.Rpc.Exchanges;

/// <summary>The answering end of exchanges. Who may call is decided before. Thread-safe.</summary>
/// <param name="serve">Serves one stream of a protocol, which has 1..64 characters, for a caller, and completes when it is done with it; what is
/// still open then is ended. It throws <see cref="RpcException"/>: NOT_FOUND (the protocol is not served here). Any other exception breaks
/// the exchange off.</param>
public sealed class ExchangeService(Func<string, RpcContext, ExchangeStream, CancellationToken, Task> serve)
{
    /// <summary>The service, to be put into a table.</summary>
    public RpcService Bind() => new RpcService(ExchangeReflection.Descriptor, "Exchange").Duplex(ExchangeMethods.Open, (frames, context) => OpenAsync(frames, context));

    private async IAsyncEnumerable<ExchangeFrame> OpenAsync(
        IAsyncEnumerable<ExchangeFrame> requests, RpcContext context, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await using var stream = new ExchangeStream(cancellationToken);
        await using IAsyncEnumerator<ExchangeFrame> frames = requests.GetAsyncEnumerator(stream.Ended);
        string protocol = await ReadProtocolAsync(frames).ConfigureAwait(false);
        Task taking = stream.TakeAsync(frames);
        Task serving = ServeAsync(protocol, context, stream);
        try
        {
            await foreach (ExchangeFrame frame in stream.FramesAsync(cancellationToken).ConfigureAwait(false))
                yield return frame;
            await serving.ConfigureAwait(false);
        }
        finally
        {
            await stream.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(serving, taking).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static async ValueTask<string> ReadProtocolAsync(IAsyncEnumerator<ExchangeFrame> frames)
    {
        if (!await frames.MoveNextAsync().ConfigureAwait(false) || frames.Current.Open is not { } open)
            throw new RpcException(RpcStatusCode.InvalidArgument, "an exchange begins with an open frame");
        return open.Protocol.Length is > 0 and <= ExchangeLimits.ProtocolLengthMax
            ? open.Protocol
            : throw new RpcException(RpcStatusCode.InvalidArgument, $"a protocol's name has 1 to {ExchangeLimits.ProtocolLengthMax} characters");
    }

    private async Task ServeAsync(string protocol, RpcContext context, ExchangeStream stream)
    {
        await Task.Yield();
        try
        {
            await serve(protocol, context, stream, stream.Ended).ConfigureAwait(false);
            stream.CompleteWrites();
        }
        catch (RpcException e)
        {
            stream.Fail(e);
        }
        catch (Exception)
        {
            stream.Abort(0);
            throw;
        }
    }
}
