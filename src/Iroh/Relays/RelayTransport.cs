using Iroh.Base;
using Iroh.Paths;
using Iroh.Quic;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Relay.Client;

namespace Iroh.Relays;

/// <summary>
/// The relays of an endpoint as one more way for QUIC's datagrams: gives endpoints behind relays their virtual addresses, sends over the
/// pool, and hands what relays bring to the endpoint. May be used from any thread.
/// </summary>
internal sealed class RelayTransport : IVirtualTransport, IRelayReceiver, IAsyncDisposable
{
    private readonly RelayPool _pool;
    private QuicEndpoint? _quic;
    private Action<RelayClientStatus>? _onStatus;

    /// <param name="options">How to connect to relays.</param>
    public RelayTransport(RelayPoolOptions options) => _pool = new RelayPool(options, this);

    /// <summary>Who has which virtual address.</summary>
    public RelayAddressBook Addresses { get; } = new();

    /// <summary>The connections to relays.</summary>
    public RelayPool Pool => _pool;

    /// <summary>From now on what relays bring goes to the endpoint, and news of them to the handler. To be called once.</summary>
    public void Attach(QuicEndpoint quic, Action<RelayClientStatus> onStatus)
    {
        Volatile.Write(ref _onStatus, onStatus);
        Volatile.Write(ref _quic, quic);
    }

    /// <inheritdoc/>
    public void Send(NetworkAddress remote, EcnCodepoint ecn, ReadOnlySpan<byte> payload, int segmentSize)
    {
        if (Addresses.TryFind(remote, out RelayedEndpoint? peer))
            _pool.TrySend(peer.Relay, peer.Endpoint, ecn, payload, segmentSize);
    }

    /// <inheritdoc/>
    public void OnDatagrams(RelayUrl relay, EndpointId source, EcnCodepoint ecn, Span<byte> payload, int segmentSize)
    {
        if (!payload.IsEmpty)
            Volatile.Read(ref _quic)?.Deliver(Addresses.AddressOf(relay, source), ecn, payload, segmentSize < 1 ? payload.Length : segmentSize);
    }

    /// <inheritdoc/>
    /// <remarks>QUIC finds out by itself that a path is silent; a peer that only reconnects to its relay loses nothing.</remarks>
    public void OnPeerGone(RelayUrl relay, EndpointId peer)
    {
    }

    /// <inheritdoc/>
    public void OnStatusChanged(RelayClientStatus status) => Volatile.Read(ref _onStatus)?.Invoke(status);

    /// <summary>Leaves all relays. What is sent afterwards is lost.</summary>
    public ValueTask DisposeAsync() => _pool.DisposeAsync();
}
