using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.NatTraversal;

/// <summary>How a NAT maps an endpoint's socket, as a net report found out.</summary>
/// <param name="Address">Where the socket appears on the other side of the NAT.</param>
/// <param name="VariesByDestination">
/// Whether each destination sees another port (RFC 4787 §4.1: address and port-dependent mapping); then only the IP address means something.
/// </param>
public readonly record struct NatMapping(NetworkAddress Address, bool VariesByDestination);
