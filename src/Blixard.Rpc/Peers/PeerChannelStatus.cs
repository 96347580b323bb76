using Blixard.Rpc.Calls;

namespace Blixard.Rpc.Peers;

/// <summary>How a peer is reached, as of one moment.</summary>
/// <param name="Transport">The way that calls and tunnels take.</param>
/// <param name="Since">Since when: the last switch, or when the peer became known.</param>
/// <param name="Age">How long ago that was, by a clock that is never set.</param>
/// <param name="LastSwitch">The last switch; null when there was none. Its time counts from when the peer became known.</param>
/// <param name="Switches">How many switches there were.</param>
public sealed record PeerChannelStatus(
    RpcTransport Transport, DateTimeOffset Since, TimeSpan Age, TransportSwitch? LastSwitch, long Switches);

/// <summary>One way to a peer: all calls through the same caller share a connection and its fate.</summary>
/// <param name="Caller">Calls the peer on this way.</param>
/// <param name="Transport">Which way it is.</param>
internal readonly record struct PeerRoute(IRpcCaller Caller, RpcTransport Transport);
