using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Recovery;

namespace Iroh.Quic.Protocol.Paths;

/// <summary>
/// A 4-tuple in use by a path id: where its datagrams go and what is measured of the way there. Migration puts another one into its
/// place (RFC 9000 §9).
/// </summary>
internal sealed class NetworkPath
{
    /// <summary>
    /// The largest UDP payload on a way that is no UDP: relays carry what an Ethernet frame does, less the headers of IPv6 and UDP, as iroh
    /// has it, and a probe for more would be forwarded to an end that cannot take it.
    /// </summary>
    private const ulong VirtualPayloadMax = 1452;

    public NetworkPath(FourTuple address, PathRecovery recovery, bool isValidated)
    {
        Address = address;
        Recovery = recovery;
        Validator = new PathValidator(isValidated);
        LimitPayload();
    }

    /// <summary>Both ends' addresses.</summary>
    public FourTuple Address { get; private set; }

    /// <summary>RTT, congestion, pacing, ECN, MTU, amplification.</summary>
    public PathRecovery Recovery { get; }

    /// <summary>Whether the peer receives there.</summary>
    public PathValidator Validator { get; }

    /// <summary>The local address may be gone: the network chooses another one.</summary>
    public void ForgetLocal() => Address = Address with { Local = default };

    /// <summary>
    /// Whether a datagram came on this path. Only the peer's address tells: this end's own may be unknown to the socket, and changes
    /// under it without harm.
    /// </summary>
    public bool Carries(FourTuple address) => address.Remote == Address.Remote;

    /// <summary>The socket has told which local address the peer's datagrams arrive on; answers leave from there.</summary>
    public void LearnLocal(NetworkAddress local)
    {
        if (Address.Local.IsUnspecified)
            Address = Address with { Local = local };
    }

    /// <summary>The address is the peer's: the limit on sending to it ends (RFC 9000 §8).</summary>
    public void MarkValidated()
    {
        Validator.MarkValidated();
        Recovery.Amplification.OnValidated();
    }

    /// <summary>Follows the server to the address it answers from, with everything that was measured (see <see cref="Path"/>).</summary>
    public void MoveTo(FourTuple address)
    {
        Address = address;
        LimitPayload();
    }

    private void LimitPayload()
    {
        if (Address.Remote.IsVirtual)
            Recovery.Mtu.SetPeerLimit(VirtualPayloadMax);
    }
}
