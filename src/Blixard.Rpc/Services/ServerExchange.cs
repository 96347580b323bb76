using Blixard.Rpc.Calls;
using Blixard.Rpc.Frames;
using Google.Protobuf;

namespace Blixard.Rpc.Services;

/// <summary>The messages of one call on the serving side; each transport has its own. Used by one call, one operation in each
/// direction at a time.</summary>
internal abstract class ServerExchange
{
    /// <summary>Encoded message bytes that came.</summary>
    public long BytesReceived { get; private set; }

    /// <summary>Encoded message bytes that went.</summary>
    public long BytesSent { get; private set; }

    /// <summary>Whether the caller sends one request, takes one response, and then bytes as they are.</summary>
    public virtual bool TakesStream => false;

    /// <summary>Tells the transport which method it is, before the first message is read.</summary>
    /// <exception cref="RpcException">The caller has begun the call as another kind.</exception>
    public abstract void Begin(RpcMethod method);

    /// <summary>The next request message, valid until the next read; null when the caller has sent its last.</summary>
    /// <exception cref="RpcException">CANCELLED: the caller's side of the transport has ended.</exception>
    public async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(CancellationToken cancellationToken)
    {
        ReadOnlyMemory<byte>? message;
        try
        {
            message = await ReadMessageAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (IOException e)
        {
            throw CallerGone(e);
        }

        BytesReceived += message?.Length ?? 0;
        return message;
    }

    /// <summary>Sends a response message; completes when the transport has taken it, which may wait for the caller to read.</summary>
    /// <exception cref="RpcException">CANCELLED: the caller's side of the transport has ended. RESOURCE_EXHAUSTED: the message is too long.</exception>
    public async ValueTask WriteAsync(IMessage message, CancellationToken cancellationToken)
    {
        int length = message.CalculateSize();
        if (length > RpcLimits.MessageLengthMax)
            throw new RpcException(RpcStatusCode.ResourceExhausted, $"the answer has {length} bytes; at most {RpcLimits.MessageLengthMax} can be sent");
        try
        {
            await WriteMessageAsync(message, length, cancellationToken).ConfigureAwait(false);
        }
        catch (IOException e)
        {
            throw CallerGone(e);
        }

        BytesSent += length;
    }

    /// <summary>The stream, after the response, for a caller that takes it. It stays the transport's.</summary>
    public virtual RpcStream TakeStream() => throw new InvalidOperationException("the caller does not take the stream");

    /// <summary>Counts bytes that were no messages.</summary>
    public void Count(long received, long sent)
    {
        BytesReceived += received;
        BytesSent += sent;
    }

    protected abstract ValueTask<ReadOnlyMemory<byte>?> ReadMessageAsync(CancellationToken cancellationToken);

    protected abstract ValueTask WriteMessageAsync(IMessage message, int length, CancellationToken cancellationToken);

    // The transport often says so before it says that the call is aborted; neither is a fault of the handler.
    private static RpcException CallerGone(IOException e) => new(RpcStatusCode.Cancelled, $"the caller is gone: {e.Message}", inner: e);
}
