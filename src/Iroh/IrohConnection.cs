using System.Text;
using Iroh.Base;
using Iroh.Quic;
using Iroh.Quic.Protocol.Connections;

namespace Iroh;

/// <summary>
/// A connection to an endpoint that has proved to own its id. All members may be used from any thread, several calls at once.
/// Once the connection has ended, every call fails with <see cref="QuicConnectionException"/>.
/// </summary>
public sealed class IrohConnection : IAsyncDisposable
{
    private readonly QuicConnection _quic;

    internal IrohConnection(QuicConnection quic, bool isDialled)
    {
        _quic = quic;
        IsDialled = isDialled;
        RemoteId = EndpointId.FromBytes(quic.PeerPublicKey.Span);
        ApplicationProtocol = Encoding.UTF8.GetString(quic.ApplicationProtocol.Span);
    }

    /// <summary>Who is at the other end.</summary>
    public EndpointId RemoteId { get; }

    /// <summary>The protocol that both ends agreed on (ALPN).</summary>
    public string ApplicationProtocol { get; }

    /// <summary>Whether this end dialled; false if it accepted.</summary>
    public bool IsDialled { get; }

    /// <summary>The time that the handshake took at this end.</summary>
    public TimeSpan HandshakeDuration => _quic.HandshakeDuration;

    /// <summary>The way that packets take now.</summary>
    public IrohPath Path => new(IrohPathKind.Direct, TransportAddress.Ip(_quic.RemoteEndPoint), _quic.Statistics.SmoothedRtt, IsSelected: true);

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

    /// <summary>The peer's short id and the protocol.</summary>
    public override string ToString() => $"{RemoteId.ToShortString()} {ApplicationProtocol}";
}
