using Blixard.Rpc.Calls;
using Google.Protobuf;

namespace Blixard.Rpc.Frames;

/// <summary>A call whose stream carries bytes as they are, after one request and one response. Owned by one caller, who says how it
/// ended before disposing it; without a word it was given up.</summary>
internal sealed class ByteCall<TResponse> : IAsyncDisposable
    where TResponse : class, IMessage<TResponse>
{
    private readonly FrameClientCall _call;
    private readonly Func<ValueTask> _end;

    /// <param name="call">The call, after its first response.</param>
    /// <param name="response">That response.</param>
    /// <param name="end">Disposes and counts the call.</param>
    public ByteCall(FrameClientCall call, TResponse response, Func<ValueTask> end) => (_call, Response, _end) = (call, response, end);

    /// <summary>The only response.</summary>
    public TResponse Response { get; }

    /// <summary>The bytes after it. Reads continue on the thread that receives.</summary>
    public RpcStream Stream => _call.Stream;

    /// <summary>Counts what passed.</summary>
    public void Count(long received, long sent) => _call.Count(received, sent);

    /// <summary>Both directions have ended well.</summary>
    public void Complete() => _call.Complete();

    /// <summary>The stream failed, or the call was given up.</summary>
    /// <returns>What is to be thrown: <see cref="RpcException"/>, or <see cref="OperationCanceledException"/> if the call's token fired.</returns>
    public Exception Fail(Exception e) => _call.Fail(e);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _end();
}
