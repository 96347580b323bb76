using System.Runtime.CompilerServices;
using System.Text;
using Iroh.Base;
using Iroh.Paths;
using Iroh.Quic;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh;

/// <summary>
/// A connection to an endpoint that has proved to own its id. All members may be used from any thread, several calls at once.
/// Once the connection has ended, every call fails with <see cref="QuicConnectionException"/>.
/// </summary>
public sealed class IrohConnection : IAsyncDisposable
{
    private readonly QuicConnection _quic;
    private readonly ConnectionPaths _paths;
    private readonly RelayAddressBook? _relays;

    internal IrohConnection(QuicConnection quic, ConnectionPaths paths, RelayAddressBook? relays)
    {
        (_quic, _paths, _relays) = (quic, paths, relays);
        RemoteId = EndpointId.FromBytes(quic.PeerPublicKey.Span);
        ApplicationProtocol = Encoding.UTF8.GetString(quic.ApplicationProtocol.Span);
    }

    /// <summary>Who is at the other end.</summary>
    public EndpointId RemoteId { get; }

    /// <summary>The protocol that both ends agreed on (ALPN).</summary>
    public string ApplicationProtocol { get; }

    /// <summary>Whether this end dialled; false if it accepted.</summary>
    public bool IsDialled => _quic.IsClient;

    /// <summary>The time that the handshake took at this end.</summary>
    public TimeSpan HandshakeDuration => _quic.HandshakeDuration;

    /// <summary>The way that data takes now; once the connection has ended, the last one.</summary>
    public IrohPath Path
    {
        get
        {
            IReadOnlyList<IrohPath> paths = Paths;
            return paths.FirstOrDefault(path => path.IsSelected) ?? (paths.Count > 0 ? paths[0] : null)
                ?? Describe(_quic.RemoteAddress, _quic.Statistics.SmoothedRtt, isSelected: true);
        }
    }

    /// <summary>All ways between the two ends that are known to work, the oldest first.</summary>
    public IReadOnlyList<IrohPath> Paths =>
        [.. _quic.Paths.Where(path => path.IsValidated).Select(path => Describe(path.Address.Remote, path.SmoothedRtt, path.CarriesData))];

    /// <summary>
    /// <see cref="Paths"/> now, and again whenever one comes, goes or is selected; ends with the connection. A slow reader gets the newest.
    /// </summary>
    public async IAsyncEnumerable<IReadOnlyList<IrohPath>> WatchPathsAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        (IrohPathKind, TransportAddress, bool)[]? last = null;
        while (true)
        {
            Task changed = _paths.Changed;
            IReadOnlyList<IrohPath> paths = Paths;
            // Round trip times change all the time; that is no news.
            (IrohPathKind, TransportAddress, bool)[] seen = [.. paths.Select(path => (path.Kind, path.Remote, path.IsSelected))];
            if (last is null || !seen.SequenceEqual(last))
            {
                last = seen;
                yield return paths;
            }

            if (_paths.Completion.IsCompleted)
                yield break;
            await changed.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Counters and measurements at this moment.</summary>
    public ConnectionStatistics Statistics => _quic.Statistics;

    /// <summary>The longest datagram that can be sent now, in bytes; 0 if the peer takes none.</summary>
    public int MaxDatagramSize => _quic.MaxDatagramSize;

    /// <summary>Completes when the connection has ended, whoever ended it, with the reason. Never fails.</summary>
    public Task<QuicCloseReason> Closed => _quic.Closed;

    /// <summary>Opens a stream on which both ends send. The peer learns of it with the first bytes.</summary>
    /// <param name="cancellationToken">Ends the wait for the peer to allow another stream.</param>
    public ValueTask<QuicStream> OpenBidirectionalStreamAsync(CancellationToken cancellationToken = default) =>
        _quic.OpenBidirectionalStreamAsync(cancellationToken);

    /// <summary>Opens a stream on which only this end sends. The peer learns of it with the first bytes.</summary>
    /// <param name="cancellationToken">Ends the wait for the peer to allow another stream.</param>
    public ValueTask<QuicStream> OpenUnidirectionalStreamAsync(CancellationToken cancellationToken = default) =>
        _quic.OpenUnidirectionalStreamAsync(cancellationToken);

    /// <summary>Waits for the next stream that the peer opened to send and receive on, in the order of opening.</summary>
    public ValueTask<QuicStream> AcceptBidirectionalStreamAsync(CancellationToken cancellationToken = default) =>
        _quic.AcceptBidirectionalStreamAsync(cancellationToken);

    /// <summary>Waits for the next stream that the peer opened to send on, in the order of opening.</summary>
    public ValueTask<QuicStream> AcceptUnidirectionalStreamAsync(CancellationToken cancellationToken = default) =>
        _quic.AcceptUnidirectionalStreamAsync(cancellationToken);

    /// <summary>Queues a datagram, unordered and unreliable, after waiting for room in the queue if it is full.</summary>
    /// <param name="data">At most <see cref="MaxDatagramSize"/> bytes; the caller's again when the task has completed.</param>
    /// <param name="cancellationToken">Ends the wait; the datagram is not sent.</param>
    public ValueTask SendDatagramAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken = default) =>
        _quic.SendDatagramAsync(data, cancellationToken);

    /// <summary>Waits for the next datagram. Datagrams that nobody receives in time are dropped, the oldest first.</summary>
    public ValueTask<byte[]> ReceiveDatagramAsync(CancellationToken cancellationToken = default) =>
        _quic.ReceiveDatagramAsync(cancellationToken);

    /// <summary>Starts new packet keys, which happens by itself long before a key is worn out.</summary>
    public void UpdateKeys() => _quic.UpdateKeys();

    /// <summary>Closes the connection with a code and words for the peer. Without effect on one that has ended.</summary>
    /// <param name="code">0 to 2^62-1; its meaning is the application's.</param>
    /// <param name="reason">For people; what does not fit a packet is cut off.</param>
    public ValueTask CloseAsync(ulong code = 0, string reason = "") => _quic.CloseAsync(code, reason);

    /// <summary>Closes with code 0 if the connection is still up.</summary>
    public ValueTask DisposeAsync() => _quic.DisposeAsync();

    private IrohPath Describe(NetworkAddress remote, TimeSpan roundTrip, bool isSelected)
    {
        if (!remote.IsVirtual)
            return new IrohPath(IrohPathKind.Direct, TransportAddress.Ip(remote.ToIPEndPoint()), roundTrip, isSelected);
        TransportAddress relay = _relays is not null && _relays.TryFind(remote, out RelayedEndpoint? relayed)
            ? TransportAddress.Relay(relayed.Relay)
            : throw new InvalidOperationException($"Nobody knows {remote}.");
        return new IrohPath(IrohPathKind.Relay, relay, roundTrip, isSelected);
    }

    /// <summary>The peer's short id and the protocol.</summary>
    public override string ToString() => $"{RemoteId.ToShortString()} {ApplicationProtocol}";
}
