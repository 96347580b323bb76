using Iroh.Quic.Protocol.Primitives;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Paths;

/// <summary>From which addresses packets are taken, and which of them move the path (RFC 9000 §9).</summary>
/// <remarks>
/// A server answers the address of the first Initial until the handshake is confirmed; afterwards the client may move. A client follows
/// the address that the server answers from until the first Handshake packet, because iroh dials several addresses at once with the same
/// packets; afterwards the server stays where it is, and only probes of NAT traversal come from elsewhere.
/// </remarks>
internal sealed class PeerAddress
{
    private readonly Side _side;
    private bool _isServerFixed;

    public PeerAddress(Side side) => _side = side;

    /// <summary>Whether a datagram from this address may be looked at.</summary>
    /// <param name="path">The path that its first packet belongs to.</param>
    /// <param name="address">Where it came from.</param>
    /// <param name="isHandshakeConfirmed">Whether the handshake is confirmed.</param>
    /// <param name="isPunching">Whether the ends look for ways through NATs.</param>
    public bool Admits(Path path, FourTuple address, bool isHandshakeConfirmed, bool isPunching) =>
        path.Current.Carries(address) || (_side == Side.Server ? isHandshakeConfirmed : !_isServerFixed || isPunching);

    /// <summary>A long header packet authenticated at a client: the server is where it came from, from the first Handshake packet on for good.</summary>
    public void OnServerPacket(EncryptionLevel level, Path path, FourTuple address)
    {
        if (_isServerFixed)
            return;
        if (!path.Current.Carries(address))
            path.Current.MoveTo(address);
        _isServerFixed = level == EncryptionLevel.Handshake;
    }

    /// <summary>
    /// Whether a 1-RTT packet moves the path: the client's, from elsewhere, the newest of the path, and not only a probe (RFC 9000 §9.2,
    /// §9.3).
    /// </summary>
    public bool IsMigration(Path path, FourTuple address, PacketNumber number, bool isNonProbing) =>
        _side == Side.Server && isNonProbing && !path.Current.Carries(address) && path.Space.Received.Largest == number;
}
