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
    private Action<EndpointId>? _onPeerGone;

    /// <param name="options">How to connect to relays.</param>
    public RelayTransport(RelayPoolOptions options) => _pool = new RelayPool(options, this);

    /// <summary>Who has which virtual address.</summary>
    public RelayAddressBook Addresses { get; } = new();

    /// <summary>The connections to relays.</summary>
    public RelayPool Pool => _pool;

    /// <summary>From now on what relays bring goes to the endpoint, and news of them to the handlers. To be called once.</summary>
    public void Attach(QuicEndpoint quic, Action<RelayClientStatus> onStatus, Action<EndpointId> onPeerGone)
    {
        Volatile.Write(ref _onStatus, onStatus);
        Volatile.Write(ref _onPeerGone, onPeerGone);
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

    /// <summary>
    /// Whether an address leads to its endpoint as far as is known: its relay is connected, and the endpoint was heard there and has not left.
    /// </summary>
    public bool Reaches(NetworkAddress address) =>
        Addresses.TryFind(address, out RelayedEndpoint? peer) && _pool.RelaysOf(peer.Endpoint).Contains(peer.Relay);

    /// <summary>Whether a relay is in use and does not answer, or lets nobody in.</summary>
    public bool IsDown(RelayUrl relay) =>
        _pool.GetStatus(relay) is { } status && (status.State == RelayState.Denied || (status.State == RelayState.Connecting && status.LastError is not null));

    /// <inheritdoc/>
    public void OnPeerGone(RelayUrl relay, EndpointId peer) => Volatile.Read(ref _onPeerGone)?.Invoke(peer);

    /// <inheritdoc/>
    public void OnStatusChanged(RelayClientStatus status) => Volatile.Read(ref _onStatus)?.Invoke(status);

    /// <summary>Leaves all relays. What is sent afterwards is lost.</summary>
    public ValueTask DisposeAsync() => _pool.DisposeAsync();
}
