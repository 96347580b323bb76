using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Codec.Headers;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Crypto;
using Iroh.Quic.Protocol.Primitives;
using Path = Iroh.Quic.Protocol.Paths.Path;

namespace Iroh.Quic.Protocol.Tests.Connections;

/// <summary>Packets with frames that no honest end would send, sealed with the keys of one that is.</summary>
internal static class ForgedPacket
{
    public delegate void Writing(ref WireWriter writer);

    /// <summary>A 1-RTT packet on the connection's first path.</summary>
    public static byte[] Seal(Connection attacker, ReadOnlySpan<byte> payload)
    {
        Path path = attacker.Paths.First;
        KeyUpdate keys = attacker.Keys.Application!;
        PacketNumber number = path.Space.TakeNumber();
        byte[] packet = new byte[payload.Length + 50];
        var writer = new WireWriter(packet);
        int offset = ShortHeader.Write(ref writer, path.RemoteIds.Active, false, keys.KeyPhase, number, 4);
        writer.WriteBytes(payload);
        packet = packet[..(writer.Position + PacketHeader.TagLength)];
        keys.Protect(packet, offset, 4, path.Id, number, ref path.KeyPhaseWindow, containsAck: false);
        return packet;
    }

    /// <summary>The same with frames that a test writes.</summary>
    public static byte[] Seal(Connection attacker, Writing write)
    {
        var writer = new WireWriter(new byte[1000]);
        write(ref writer);
        while (writer.Position < 8)
            writer.WriteByte(0);
        return Seal(attacker, writer.Written);
    }
}
