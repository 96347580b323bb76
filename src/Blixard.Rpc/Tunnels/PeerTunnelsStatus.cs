using Blixard.Rpc.Calls;
using Blixard.Rpc.Peers;

namespace Blixard.Rpc.Tunnels;

/// <summary>The tunnels that this node opened to one peer and target, as of one moment.</summary>
/// <param name="Way">The way that new tunnels take.</param>
/// <param name="Since">Since when.</param>
/// <param name="OpenP2p">Open tunnels over P2P.</param>
/// <param name="OpenGrpc">Open tunnels over gRPC.</param>
/// <param name="BytesP2p">Bytes that tunnels carried over P2P, both directions together, since the start.</param>
/// <param name="BytesGrpc">Bytes that tunnels carried over gRPC, likewise.</param>
/// <param name="Switches">How often the way to the peer changed.</param>
/// <param name="LastSwitch">The last change of the way; null when there was none.</param>
/// <param name="RoundTripTime">The newest round trip of a pulse on the way that new tunnels take; null when none was measured since
/// tunnels are open on it.</param>
public sealed record PeerTunnelsStatus(
    RpcTransport Way, DateTimeOffset Since, int OpenP2p, int OpenGrpc, long BytesP2p, long BytesGrpc, long Switches,
    TransportSwitch? LastSwitch, TimeSpan? RoundTripTime);
