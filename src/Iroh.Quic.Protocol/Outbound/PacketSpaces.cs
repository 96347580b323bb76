using Iroh.Quic.Protocol.Paths;
using Iroh.Quic.Protocol.Spaces;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Outbound;

/// <summary>Finds the packet number space of a level: one for Initial and Handshake each, and one per path for 1-RTT.</summary>
internal sealed class PacketSpaces
{
    private readonly PacketNumberSpace _initial;
    private readonly PacketNumberSpace _handshake;
    private readonly Path _handshakePath;

    public PacketSpaces(PacketNumberSpace initial, PacketNumberSpace handshake, Path handshakePath)
    {
        _initial = initial;
        _handshake = handshake;
        _handshakePath = handshakePath;
    }

    /// <summary>The space of the level on the path; null for a level that the path does not have.</summary>
    public PacketNumberSpace? Find(EncryptionLevel level, Path path)
    {
        if (level == EncryptionLevel.Application)
            return path.Space;
        if (path != _handshakePath)
            return null;
        return level == EncryptionLevel.Initial ? _initial : _handshake;
    }
}
