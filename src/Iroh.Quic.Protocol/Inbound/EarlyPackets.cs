using Iroh.Quic.Protocol.Primitives;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Inbound;

/// <summary>
/// Packets whose keys are not there yet because the network changed their order (RFC 9001 §5.7): kept as they came, and tried again when
/// TLS yields the keys.
/// </summary>
internal sealed class EarlyPackets
{
    /// <summary>
    /// Packets kept. A server's first flight and what it sends behind it is a handful; more would let a stranger who saw the connection
    /// ids fill memory.
    /// </summary>
    public const int CountMax = 8;

    /// <summary>The largest packet kept: more than path MTU discovery ever sends during a handshake.</summary>
    public const int PacketLengthMax = 1500;

    private readonly List<(EncryptionLevel Level, FourTuple Path, EcnCodepoint Ecn, byte[] Packet)> _packets = [];

    /// <summary>Whether there are any.</summary>
    public bool IsEmpty => _packets.Count == 0;

    /// <summary>Keeps a copy, if there is room.</summary>
    public bool TryAdd(EncryptionLevel level, FourTuple path, EcnCodepoint ecn, ReadOnlySpan<byte> packet)
    {
        if (_packets.Count == CountMax || packet.Length > PacketLengthMax)
            return false;
        _packets.Add((level, path, ecn, packet.ToArray()));
        return true;
    }

    /// <summary>Takes the oldest packet of a level.</summary>
    public bool TryTake(EncryptionLevel level, out FourTuple path, out EcnCodepoint ecn, out byte[] packet)
    {
        for (int i = 0; i < _packets.Count; i++)
        {
            if (_packets[i].Level != level)
                continue;
            (_, path, ecn, packet) = _packets[i];
            _packets.RemoveAt(i);
            return true;
        }

        (path, ecn, packet) = (default, default, []);
        return false;
    }
}
