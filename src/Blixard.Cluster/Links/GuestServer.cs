using System.Runtime.CompilerServices;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Frames;
using Blixard.Rpc.Services;
using Iroh;
using Iroh.Quic;

namespace Blixard.Cluster.Links;

/// <summary>Serves connections that carry calls and no link, a limited number at a time and not for longer than they are used.
/// Thread-safe.</summary>
internal sealed class GuestServer(IrohServiceRunner runner, TimeProvider time)
{
    /// <summary>How many connections are served at a time: they come from strangers, and a fleet that starts at once joins well
    /// within it.</summary>
    public const int ConnectionsMax = 64;

    private int _connections;

    /// <summary>Serves one connection to its end.</summary>
    /// <param name="connection">The connection.</param>
    /// <param name="stream">The first stream that it brought.</param>
    /// <param name="first">The byte that was read from it.</param>
    /// <param name="stopping">Fires when the node stops.</param>
    public async Task ServeAsync(IrohConnection connection, QuicStream stream, byte first, CancellationToken stopping)
    {
        if (Interlocked.Increment(ref _connections) > ConnectionsMax)
        {
            Interlocked.Decrement(ref _connections);
            await connection.CloseAsync(LinkCloseCode.TooManyGuests, "too many connections of non-members; try again later").ConfigureAwait(false);
            return;
        }

        try
        {
            using var idle = new GuestIdle(time, () => _ = connection.CloseAsync(LinkCloseCode.NotMember, "idle, and not a link").AsTask());
            var peer = new RpcPeer(connection.RemoteId.Span.ToArray(), RpcTransport.P2p, connection.Path.RemoteText);
            await runner.RunAsync(AcceptAsync(connection, stream, first, idle, stopping), peer, stopping).ConfigureAwait(false);
            if (stopping.IsCancellationRequested)
                await connection.CloseAsync(LinkCloseCode.Stopping, "the node stops").ConfigureAwait(false);
        }
        finally
        {
            Interlocked.Decrement(ref _connections);
        }
    }

    private static async IAsyncEnumerable<RpcStream> AcceptAsync(
        IrohConnection connection, QuicStream stream, byte first, GuestIdle idle, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        idle.CallBegan();
        yield return stream.ToRpcStream(new GuestStream(stream, first, idle.CallEnded));
        while (true)
        {
            QuicStream next = await connection.AcceptBidirectionalStreamAsync(cancellationToken).ConfigureAwait(false);
            idle.CallBegan();
            yield return next.ToRpcStream(new GuestStream(next, null, idle.CallEnded));
        }
    }
}
