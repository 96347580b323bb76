using System.Net.Sockets;
using Blixard.Etcd.Membership;
using Blixard.Node.Peers;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Diagnostics;
using Blixard.Rpc.Sockets;
using Blixard.Rpc.Tunnels;
using Iroh.Base;
using Microsoft.Extensions.Logging;

namespace Blixard.Node.Raft;

/// <summary>The sockets over which this node's etcd reaches the others': one for each other server, in etcd's directory, named as that
/// server's peer URL says. Each connection that etcd makes is carried through a tunnel to that server. Thread-safe.</summary>
internal sealed partial class RaftSockets : IAsyncDisposable
{
    /// <summary>The service at the other end of the tunnels.</summary>
    public const string Target = "raft";

    // etcd keeps two streams, a few connections for posts and one for probes to each peer, and one for each snapshot it sends; more means
    // that something goes wrong, and has to wait.
    private const int ConnectionsMax = 64;

    private readonly string _directory;
    private readonly PeerTable _peers;
    private readonly RpcMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly ILoggerFactory _loggers;
    private readonly ILogger _logger;
    private readonly Lock _changing = new();
    private readonly Dictionary<EndpointId, Listener> _listeners = [];
    private bool _isDisposed;
    private Task _closing = Task.CompletedTask;

    /// <summary>No sockets yet; those that a former run left are deleted.</summary>
    /// <param name="directory">etcd's directory.</param>
    /// <param name="peers">Calls the other servers.</param>
    /// <param name="metrics">Where tunnels are counted.</param>
    /// <param name="time">The clock.</param>
    /// <param name="loggers">Get what goes wrong.</param>
    /// <exception cref="IOException">A stale socket cannot be deleted.</exception>
    public RaftSockets(string directory, PeerTable peers, RpcMetrics metrics, TimeProvider time, ILoggerFactory loggers)
    {
        (_directory, _peers, _metrics, _time, _loggers) = (directory, peers, metrics, time, loggers);
        _logger = loggers.CreateLogger<RaftSockets>();
        foreach (string stale in Directory.EnumerateFiles(directory, EtcdMembership.PeerSocketName(default)[(2 * EndpointId.Length)..].Insert(0, "*")))
            File.Delete(stale);
    }

    /// <summary>Listens for exactly these servers from now on.</summary>
    public void Set(IReadOnlyDictionary<EndpointId, string> namesById)
    {
        lock (_changing)
        {
            if (_isDisposed)
                return;
            foreach (EndpointId gone in _listeners.Keys.Where(id => !namesById.ContainsKey(id)).ToArray())
            {
                _listeners.Remove(gone, out Listener? listener);
                _closing = Task.WhenAll(_closing, listener!.DisposeAsync().AsTask());
            }

            foreach ((EndpointId id, string name) in namesById.Where(pair => !_listeners.ContainsKey(pair.Key)))
            {
                if (TryListen(id, name) is { } listener)
                    _listeners[id] = listener;
            }
        }
    }

    /// <summary>The tunnels to a server; null if there is no socket for it.</summary>
    public PeerTunnelsStatus? StatusOf(EndpointId id)
    {
        lock (_changing)
            return _listeners.TryGetValue(id, out Listener? listener) ? listener.Tunnels.Status : null;
    }

    /// <summary>Closes the sockets and cuts the tunnels.</summary>
    public async ValueTask DisposeAsync()
    {
        Listener[] open;
        Task closing;
        lock (_changing)
        {
            _isDisposed = true;
            open = [.. _listeners.Values];
            _listeners.Clear();
            closing = _closing;
        }

        await Task.WhenAll(open.Select(listener => listener.DisposeAsync().AsTask()).Append(closing)).ConfigureAwait(false);
    }

    private Listener? TryListen(EndpointId id, string name)
    {
        string path = Path.Combine(_directory, EtcdMembership.PeerSocketName(id));
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            File.Delete(path);
            using UnixSocketAddress address = UnixSocketAddress.Open(path);
            socket.Bind(address.EndPoint);
            socket.Listen();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or SocketException)
        {
            socket.Dispose();
            LogNotListening(name, e.Message);
            return null;
        }

        if (!_peers.TryGet(id, out Peer? peer))
            peer = _peers.Put(id, name, "");
        return new Listener(socket, path, new PeerTunnels(peer.Channel, Target, _time, _loggers.CreateLogger<PeerTunnels>(), _metrics), this);
    }

    [LoggerMessage(EventId = 6401, EventName = "RaftSocketFailed", Level = LogLevel.Error, Message = "Raft traffic to {Name} has no socket: {Reason}")]
    private partial void LogNotListening(string name, string reason);

    [LoggerMessage(EventId = 6402, EventName = "RaftConnectionsFull", Level = LogLevel.Warning, Message = "etcd opened more than {Max} connections to one server; one was closed")]
    private partial void LogFull(int max);

    /// <summary>The socket for one server, with the connections that are carried.</summary>
    private sealed class Listener : IAsyncDisposable
    {
        private readonly Socket _socket;
        private readonly string _path;
        private readonly RaftSockets _owner;
        private readonly CancellationTokenSource _stopping = new();
        private readonly SemaphoreSlim _free = new(ConnectionsMax, ConnectionsMax);
        private readonly Task _loop;

        public Listener(Socket socket, string path, PeerTunnels tunnels, RaftSockets owner)
        {
            (_socket, _path, Tunnels, _owner) = (socket, path, tunnels, owner);
            _loop = Task.Run(AcceptAsync);
        }

        public PeerTunnels Tunnels { get; }

        public async ValueTask DisposeAsync()
        {
            await _stopping.CancelAsync().ConfigureAwait(false);
            _socket.Dispose();
            File.Delete(_path);
            await _loop.ConfigureAwait(false);
            // Waits for the connections that are carried.
            await Tunnels.DisposeAsync().ConfigureAwait(false);
            _stopping.Dispose();
        }

        private async Task AcceptAsync()
        {
            while (true)
            {
                Socket connection;
                try
                {
                    connection = await _socket.AcceptAsync(_stopping.Token).ConfigureAwait(false);
                }
                catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
                {
                    return;
                }

                if (_free.Wait(0, CancellationToken.None))
                {
                    _ = CarryAsync(new NetworkStream(connection, ownsSocket: true));
                    continue;
                }

                connection.Dispose();
                _owner.LogFull(ConnectionsMax);
            }
        }

        private async Task CarryAsync(NetworkStream connection)
        {
            try
            {
                await Tunnels.CarryAsync(connection, CancellationToken.None).ConfigureAwait(false);
            }
            catch (Exception e) when (e is RpcException or OperationCanceledException or ObjectDisposedException)
            {
                // The tunnels have logged it; etcd sees its connection close and connects anew.
            }
            finally
            {
                _free.Release();
            }
        }
    }
}
