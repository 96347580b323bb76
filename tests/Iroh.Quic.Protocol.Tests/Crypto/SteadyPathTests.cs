using Iroh.Cryptography;
using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.Codec.Headers;
using Iroh.Quic.Protocol.Crypto;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Tests.Crypto;

public class SteadyPathTests
{
    private static readonly ConnectionId Id = new([1, 2, 3, 4, 5, 6, 7, 8]);
    private static readonly byte[] Data = new byte[1000];
    private static readonly PacketNumberRange[] Ranges =
    [
        new(new PacketNumber(90), new PacketNumber(100)), new(new PacketNumber(10), new PacketNumber(80)),
    ];

    [Theory]
    [InlineData(CipherSuite.Aes128GcmSha256)]
    [InlineData(CipherSuite.ChaCha20Poly1305Sha256)]
    public void Building_and_reading_a_packet_allocates_nothing(CipherSuite suite)
    {
        byte[] secret = new byte[suite.HashLength()];
        using var sender = new KeyUpdate(suite, secret, secret);
        using var receiver = new KeyUpdate(suite, secret, secret);
        byte[] buffer = new byte[1200];
        KeyPhaseWindow sent = default;
        KeyPhaseWindow received = default;
        ulong bytes = 0;
        for (ulong i = 0; i < 10; i++)
            bytes += Send(sender, receiver, buffer, new PacketNumber(i), ref sent, ref received);

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (ulong i = 10; i < 1_000; i++)
            bytes += Send(sender, receiver, buffer, new PacketNumber(i), ref sent, ref received);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(1_000_000UL, bytes);
    }

    /// <summary>Carries one packet from one end to the other and returns how much stream data it brought.</summary>
    private static ulong Send(
        KeyUpdate sender, KeyUpdate receiver, byte[] buffer, PacketNumber number, ref KeyPhaseWindow sent, ref KeyPhaseWindow received)
    {
        var writer = new WireWriter(buffer);
        bool usable = sender.PrepareToSend(default) is null;
        int offset = ShortHeader.Write(ref writer, Id, false, sender.KeyPhase, number, 2);
        usable &= AckFrame.TryWrite(ref writer, Ranges, 3, new EcnCounts(1, 2, 3), out _);
        new MaxDataFrame(1_000_000).Write(ref writer);
        StreamFrame.WriteHeader(ref writer, new StreamId(4), 1000, Data.Length, false, true);
        writer.WriteBytes(Data);
        writer.Advance(AeadKey.TagLength);
        sender.Protect(writer.Written, offset, 2, PathId.Zero, number, ref sent, containsAck: true);

        Span<byte> packet = writer.Written;
        usable &= PacketHeader.TryParse(packet, 8, out ParsedHeader header);
        usable &= receiver.TryRemoveHeaderProtection(packet, header.PacketNumberOffset, out int length, out ulong truncated);
        PacketNumber? largest = number.Value == 0 ? null : new PacketNumber(number.Value - 1);
        PacketOpening opening = receiver.Open(
            packet, header.PacketNumberOffset + length, false, PathId.Zero, PacketNumberCodec.Decode(largest, truncated, length),
            ref received, default, TimeSpan.Zero);
        usable &= opening.IsOpened;
        return usable ? ReadFrames(packet.Slice(opening.PayloadOffset, opening.PayloadLength)) : 0;
    }

    private static ulong ReadFrames(ReadOnlySpan<byte> payload)
    {
        ulong bytes = 0;
        var reader = new WireReader(payload);
        while (reader.Remaining > 0 && FrameReader.TryReadType(ref reader, out ulong type, out _)
            && FramePermissions.Check(type, EncryptionLevel.Application, Side.Client) is null)
        {
            switch (type)
            {
                case FrameType.AckEcn when AckFrame.TryRead(ref reader, type, out AckFrame ack):
                    foreach (PacketNumberRange range in ack)
                        bytes += range.Contains(new PacketNumber(85)) ? 1UL : 0;
                    break;
                case FrameType.MaxData when MaxDataFrame.TryRead(ref reader, type, out MaxDataFrame limit):
                    bytes += limit.Maximum - 1_000_000;
                    break;
                default:
                    bytes += StreamFrame.TryRead(ref reader, type, out StreamFrame stream) ? (ulong)stream.Data.Length : 0;
                    break;
            }
        }

        return bytes;
    }
}
