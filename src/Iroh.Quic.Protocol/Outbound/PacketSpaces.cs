using Iroh.Quic.Protocol.Paths;
using Iroh.Quic.Protocol.Spaces;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Outbound;

/// <summary>Finds the packet number space of a level: one for Initial and Handshake each, and one per path for 1-RTT.</summary>
internal sealed class PacketSpaces
{
    private readonly PacketNumberSpace?[] _early;
    private readonly Path _handshakePath;

    public PacketSpaces(PacketNumberSpace initial, PacketNumberSpace handshake, Path handshakePath)
    {
        _early = [initial, handshake];
        _handshakePath = handshakePath;
    }

    /// <summary>The space of the level on the path; null for a level that the path does not have, or no longer.</summary>
    public PacketNumberSpace? Find(EncryptionLevel level, Path path)
    {
        if (level == EncryptionLevel.Application)
            return path.Space;
        return path == _handshakePath ? _early[(int)level] : null;
    }

    /// <summary>The keys of Initial or Handshake are gone, and their packets with them.</summary>
    public void Discard(EncryptionLevel level) => _early[(int)level] = null;
}
