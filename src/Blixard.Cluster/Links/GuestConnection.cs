using Blixard.Rpc.Calls;
using Blixard.Rpc.Diagnostics;
using Blixard.Rpc.Frames;
using Iroh;
using Iroh.Base;

namespace Blixard.Cluster.Links;

/// <summary>A connection for calls without a link, as a node makes it that wants to join: it may ask for health and to join.</summary>
public sealed class GuestConnection : IAsyncDisposable
{
    private readonly IrohConnection _connection;

    private GuestConnection(IrohConnection connection, TimeProvider time, RpcMetrics? metrics)
    {
        _connection = connection;
        Caller = new P2pCaller(connection.OpenRpcStreamAsync, time, metrics);
    }

    /// <summary>Calls the node at the other end.</summary>
    public IRpcCaller Caller { get; }

    /// <summary>Dials a node.</summary>
    /// <param name="endpoint">This node's endpoint.</param>
    /// <param name="address">The other's address.</param>
    /// <param name="time">The clock for deadlines.</param>
    /// <param name="metrics">Where calls are counted; null = nowhere.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <exception cref="IrohConnectException">No connection came up.</exception>
    public static async Task<GuestConnection> ConnectAsync(
        IrohEndpoint endpoint, EndpointAddress address, TimeProvider time, RpcMetrics? metrics = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        return new GuestConnection(
            await endpoint.ConnectAsync(address, IrohServiceRunner.Alpn, cancellationToken).ConfigureAwait(false), time, metrics);
    }

    /// <summary>Closes the connection; calls that still run fail.</summary>
    public async ValueTask DisposeAsync()
    {
        await _connection.CloseAsync(LinkCloseCode.Stopping, "done").ConfigureAwait(false);
        await _connection.DisposeAsync().ConfigureAwait(false);
    }
}
