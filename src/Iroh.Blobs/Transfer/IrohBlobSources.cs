using Iroh.Base;
using Iroh.Blobs.Provider;

namespace Iroh.Blobs.Transfer;

/// <summary>
/// Makes sources of endpoints. All sources of one endpoint id share a connection, which is dialled when it is first needed and closed
/// when it was not used for a while. Thread-safe.
/// </summary>
public sealed class IrohBlobSources : IAsyncDisposable
{
    /// <summary>How long a connection without streams is kept: as long as iroh-blobs keeps it. The next request may follow soon, and an
    /// idle connection costs both ends memory.</summary>
    public static readonly TimeSpan IdleTimeout = TimeSpan.FromSeconds(5);

    private readonly IrohEndpoint _endpoint;
    private readonly TimeProvider _time;
    private readonly Lock _lock = new();
    private readonly Dictionary<EndpointId, Peer> _peers = [];
    private readonly CancellationTokenSource _stopping = new();
    private bool _disposed;

    /// <summary>Sources of what <paramref name="endpoint"/> can dial.</summary>
    /// <param name="endpoint">Stays the caller's, and open for as long as the sources are used.</param>
    /// <param name="time">The clock of <see cref="IdleTimeout"/>; null = the system's.</param>
    public IrohBlobSources(IrohEndpoint endpoint, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        _endpoint = endpoint;
        _time = time ?? TimeProvider.System;
    }

    /// <summary>A source that asks one endpoint. Nothing is dialled yet.</summary>
    /// <param name="address">Whom to dial, and where they may be.</param>
    /// <param name="name">What to call it; null = its endpoint id in short.</param>
    public IBlobSource Create(EndpointAddress address, string? name = null)
    {
        ArgumentNullException.ThrowIfNull(address);
        return new Source(this, address, name ?? address.Id.ToShortString());
    }

    /// <summary>Connections that stand or are being made, as far as this end knows.</summary>
    internal int OpenConnections
    {
        get
        {
            lock (_lock)
                return _peers.Values.Count(static peer => !peer.HasEnded);
        }
    }

    /// <summary>Closes the connections; streams that are open on them fail.</summary>
    public async ValueTask DisposeAsync()
    {
        Peer[] peers;
        lock (_lock)
        {
            _disposed = true;
            peers = [.. _peers.Values];
            _peers.Clear();
        }

        // Dials that are under way would otherwise be waited for.
        await _stopping.CancelAsync().ConfigureAwait(false);
        foreach (Peer peer in peers)
            await peer.CloseAsync().ConfigureAwait(false);
    }

    private async ValueTask<IBlobStream> OpenAsync(EndpointAddress address, CancellationToken cancellationToken)
    {
        Peer peer = Use(address);
        try
        {
            IrohConnection connection = await peer.Connection.WaitAsync(cancellationToken).ConfigureAwait(false);
            return new QuicBlobStream(
                await connection.OpenBidirectionalStreamAsync(cancellationToken).ConfigureAwait(false), () => Release(address.Id, peer));
        }
        catch
        {
            Release(address.Id, peer);
            throw;
        }
    }

    /// <summary>The peer with one more user. A connection that ended or never came up is replaced.</summary>
    private Peer Use(EndpointAddress address)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (!_peers.TryGetValue(address.Id, out Peer? peer) || peer.HasEnded)
            {
                peer = new Peer(() => _endpoint.ConnectAsync(address, BlobProvider.ApplicationProtocol, _stopping.Token));
                _peers[address.Id] = peer;
            }

            peer.Users++;
            peer.IdleTimer?.Dispose();
            peer.IdleTimer = null;
            return peer;
        }
    }

    private void Release(EndpointId id, Peer peer)
    {
        lock (_lock)
        {
            if (--peer.Users > 0)
                return;
            if (peer.HasEnded)
            {
                if (_peers.GetValueOrDefault(id) == peer)
                    _peers.Remove(id);
            }
            else if (!_disposed)
            {
                peer.IdleTimer = _time.CreateTimer(_ => CloseIdle(id, peer), null, IdleTimeout, Timeout.InfiniteTimeSpan);
                return;
            }
        }

        _ = peer.CloseAsync();
    }

    private void CloseIdle(EndpointId id, Peer peer)
    {
        lock (_lock)
        {
            if (peer.Users > 0)
                return;
            if (_peers.GetValueOrDefault(id) == peer)
                _peers.Remove(id);
        }

        _ = peer.CloseAsync();
    }

    /// <summary>A connection, wanted or up, and how many use it. Fields are guarded by the pool's lock.</summary>
    private sealed class Peer(Func<Task<IrohConnection>> connect)
    {
        // Not cancelled with whoever asked first: others may have come to wait for it. The endpoint ends it after its own time.
        private readonly Lazy<Task<IrohConnection>> _connection = new(() => Task.Run(connect));

        public Task<IrohConnection> Connection => _connection.Value;

        public int Users { get; set; }

        public ITimer? IdleTimer { get; set; }

        public bool HasEnded => _connection.IsValueCreated && Connection.IsCompleted
            && (!Connection.IsCompletedSuccessfully || Connection.Result.Closed.IsCompleted);

        /// <summary>Closes the connection now or when it has come up. Never fails.</summary>
        public async Task CloseAsync()
        {
            IdleTimer?.Dispose();
            if (!_connection.IsValueCreated)
                return;
            try
            {
                IrohConnection connection = await Connection.ConfigureAwait(false);
                await connection.DisposeAsync().ConfigureAwait(false);
            }
            catch (Exception exception) when (exception is IOException or OperationCanceledException or ObjectDisposedException)
            {
                // It never came up, and whoever waited for it was told; or the endpoint was closed before.
            }
        }
    }

    private sealed class Source(IrohBlobSources pool, EndpointAddress address, string name) : IBlobSource
    {
        /// <inheritdoc/>
        public string Name => name;

        /// <inheritdoc/>
        public ValueTask<IBlobStream> OpenStreamAsync(CancellationToken cancellationToken) => pool.OpenAsync(address, cancellationToken);
    }
}
