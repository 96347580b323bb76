using System.Runtime.CompilerServices;
using Blixard.Rpc.Frames;
using Iroh;
using Iroh.Quic;

namespace Blixard.Cluster.Links;

/// <summary>Streams of a connection as streams of calls.</summary>
internal static class RpcStreams
{
    /// <summary>A stream as a call's; the call owns it.</summary>
    public static RpcStream ToRpcStream(this QuicStream stream) => stream.ToRpcStream(stream);

    /// <summary>The same, with a wrapper around its bytes that owns it.</summary>
    public static RpcStream ToRpcStream(this QuicStream stream, Stream bytes) => new(
        bytes,
        _ =>
        {
            stream.CompleteWrites();
            return ValueTask.CompletedTask;
        },
        code => stream.Abort(QuicStreamSides.Both, code),
        () => stream.ContinuesReadsInline = true,
        e => (e as QuicStreamException)?.Code);

    /// <summary>Opens a stream for a call.</summary>
    public static async ValueTask<RpcStream> OpenRpcStreamAsync(this IrohConnection connection, CancellationToken cancellationToken) =>
        (await connection.OpenBidirectionalStreamAsync(cancellationToken).ConfigureAwait(false)).ToRpcStream();

    /// <summary>The streams that the peer opens; ends with the exception of the connection's end.</summary>
    public static async IAsyncEnumerable<RpcStream> AcceptRpcStreamsAsync(
        this IrohConnection connection, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        while (true)
            yield return (await connection.AcceptBidirectionalStreamAsync(cancellationToken).ConfigureAwait(false)).ToRpcStream();
    }
}
