using Iroh.Cryptography;
using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Codec.Headers;
using Iroh.Quic.Protocol.Crypto;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Tests.Codec;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Tests.Crypto;

/// <summary>A 1-RTT packet on its way, with what its frames would say.</summary>
internal sealed record SealedPacket(byte[] Bytes, PathId Path, PacketNumber Number, PathId? AckPath, PacketNumber Acknowledged);

/// <summary>One end of a connection reduced to its 1-RTT keys and the packet numbers of its paths.</summary>
internal sealed class KeyUpdateEnd
{
    public static readonly TimeSpan Retention = TimeSpan.FromMilliseconds(600);

    private const int HeaderLength = 1 + 4;
    private readonly PathState[] _paths = new PathState[3];

    public KeyUpdateEnd(KeyUpdate keys) => Keys = keys;

    public KeyUpdate Keys { get; }

    /// <summary>Two ends with the handshake confirmed.</summary>
    public static (KeyUpdateEnd A, KeyUpdateEnd B) Pair(CipherSuite suite = CipherSuite.Aes128GcmSha256, ulong seed = 1)
    {
        var random = new SeededRandomSource(seed);
        byte[] first = random.Bytes(suite.HashLength());
        byte[] second = random.Bytes(suite.HashLength());
        var a = new KeyUpdateEnd(new KeyUpdate(suite, first, second));
        var b = new KeyUpdateEnd(new KeyUpdate(suite, second, first));
        a.Keys.OnHandshakeConfirmed();
        b.Keys.OnHandshakeConfirmed();
        return (a, b);
    }

    /// <summary>Seals the next packet of a path; it acknowledges all that arrived on <paramref name="ackPath"/>, if given.</summary>
    public SealedPacket Send(uint path = 0, uint? ackPath = null)
    {
        var number = new PacketNumber(_paths[path].NextNumber++);
        bool containsAck = ackPath is { } p && _paths[p].HasReceived;
        var writer = new WireWriter(new byte[64]);
        int offset = ShortHeader.Write(ref writer, default, false, Keys.KeyPhase, number, 4);
        writer.WriteBytes([1, 1, 1, 1]);
        writer.Advance(AeadKey.TagLength);
        Keys.Protect(writer.Written, offset, 4, new PathId(path), number, ref _paths[path].Window, containsAck);
        return new SealedPacket(
            writer.Written.ToArray(),
            new PathId(path),
            number,
            containsAck ? new PathId(ackPath!.Value) : null,
            containsAck ? new PacketNumber(_paths[ackPath!.Value].LargestReceived) : default);
    }

    /// <summary>Skips packet numbers of a path.</summary>
    public void SkipTo(ulong number, uint path = 0) => _paths[path].NextNumber = number;

    /// <summary>Opens a packet and takes its acknowledgement; the result's error is that of either.</summary>
    public PacketOpening Receive(SealedPacket packet, Instant now = default)
    {
        byte[] bytes = [.. packet.Bytes];
        Assert.True(Keys.TryRemoveHeaderProtection(bytes, 1, out int length, out _));
        Assert.Equal(4, length);
        ref PathState path = ref _paths[packet.Path.Value];
        bool keyPhase = (bytes[0] & PacketHeader.KeyPhaseBit) != 0;
        PacketOpening opening = Keys.Open(
            bytes, HeaderLength, keyPhase, packet.Path, packet.Number, ref path.Window, now, Retention);
        if (!opening.IsOpened)
            return opening;
        Assert.Equal([1, 1, 1, 1], bytes.AsSpan(opening.PayloadOffset, opening.PayloadLength).ToArray());
        path.HasReceived = true;
        path.LargestReceived = Math.Max(path.LargestReceived, packet.Number.Value);
        if (packet.AckPath is { } acknowledgedPath)
        {
            TransportError? error = Keys.OnAckReceived(
                packet.Acknowledged, opening.Generation, _paths[acknowledgedPath.Value].Window, now, Retention);
            return opening with { Error = error };
        }

        return opening;
    }

    /// <summary>Makes the end believe that its last packet was acknowledged, so that it can break the rules.</summary>
    public void BelieveAcknowledged() => Keys.OnAckReceived(
        new PacketNumber(_paths[0].NextNumber), Keys.Generation, _paths[0].Window, default, TimeSpan.Zero);

    private struct PathState
    {
        public KeyPhaseWindow Window;
        public ulong NextNumber;
        public ulong LargestReceived;
        public bool HasReceived;
    }
}
