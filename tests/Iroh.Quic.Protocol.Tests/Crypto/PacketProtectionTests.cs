using Iroh.Cryptography;
using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.Codec.Headers;
using Iroh.Quic.Protocol.Crypto;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Tests.Codec;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Tests.Crypto;

public class PacketProtectionTests
{
    // RFC 9001 §A.1.
    [Theory]
    [InlineData(
        "c00cf151ca5be075ed0ebfb5c80323c42d6b7db67881289af4008f1f6c357aea", "1f369613dd76d5467730efcbe3b1a22d",
        "fa044b2f42a3fd3b46fb255c", "9f50449e04a0e810283a1e9933adedd2")]
    [InlineData(
        "3c199828fd139efd216c155ad844cc81fb82fa8d7446fa7d78be803acdda951b", "cf3a5331653c364c88f0f379b6067e37",
        "0ac1493ca1905853b0bba03e", "c206b8d9b9f0f37644430b490eeaa314")]
    public void Keys_of_a_secret_are_those_of_RFC_9001(string secret, string key, string iv, string headerProtectionKey)
    {
        byte[] packet = new byte[60];
        byte[] expected = new byte[60];
        using var keys = new PacketKeys(CipherSuite.Aes128GcmSha256, Convert.FromHexString(secret));
        using var cipher = new PacketCipher(AeadAlgorithm.Aes128Gcm, Convert.FromHexString(key), Convert.FromHexString(iv));
        using var mask = new HeaderProtectionKey(AeadAlgorithm.Aes128Gcm, Convert.FromHexString(headerProtectionKey));
        keys.Protect(packet, 9, 1, PathId.Zero, new PacketNumber(7));
        cipher.Seal(expected, 10, PathId.Zero, new PacketNumber(7));
        HeaderProtection.Apply(mask, expected, 9, 1);
        Assert.Equal(expected, packet);
    }

    [Fact]
    public void The_client_Initial_of_RFC_9001_is_protected_byte_for_byte()
    {
        (PacketKeys _, PacketKeys send) = InitialKeys.Derive(new ConnectionId(Rfc9001Vectors.ClientDestinationId), Side.Client);
        var writer = new WireWriter(new byte[1200]);
        int offset = LongHeader.Write(
            ref writer, PacketType.Initial, new ConnectionId(Rfc9001Vectors.ClientDestinationId), default, [],
            new PacketNumber(2), 4);
        writer.WriteBytes(Rfc9001Vectors.ClientInitialCryptoFrame);
        new PaddingFrame(22 + 1162 - writer.Position).Write(ref writer);
        writer.Advance(AeadKey.TagLength);
        LongHeader.PatchLength(writer.Written, offset);
        Assert.Equal(Rfc9001Vectors.ClientInitialHeader, writer.Written[..22].ToArray());

        send.Protect(writer.Written, offset, 4, PathId.Zero, new PacketNumber(2));
        Assert.Equal(Rfc9001Vectors.ClientInitialPacket, writer.Written.ToArray());
    }

    [Fact]
    public void The_client_Initial_of_RFC_9001_is_opened_by_a_server()
    {
        (PacketKeys receive, PacketKeys _) =
            InitialKeys.Derive(new ConnectionId(Rfc9001Vectors.ClientDestinationId), Side.Server);
        byte[] packet = Rfc9001Vectors.ClientInitialPacket;
        Assert.True(PacketHeader.TryParse(packet, 8, out ParsedHeader header));
        Assert.Equal(PacketType.Initial, header.Type);
        Assert.Equal(Rfc9001Vectors.ClientDestinationId, header.DestinationIdBytes.ToArray());
        Assert.True(header.SourceIdBytes.IsEmpty);
        Assert.True(header.Token.IsEmpty);
        Assert.Equal(1200, header.PacketLength);

        Assert.True(receive.TryRemoveHeaderProtection(packet, header.PacketNumberOffset, out int length, out ulong truncated));
        Assert.Equal((4, 2UL), (length, truncated));
        Assert.Equal(Rfc9001Vectors.ClientInitialHeader, packet[..22]);
        Assert.True(receive.TryOpen(packet, 22, PathId.Zero, new PacketNumber(2), out Span<byte> payload));
        Assert.Equal(1162, payload.Length);
        byte[] crypto = Rfc9001Vectors.ClientInitialCryptoFrame;
        Assert.Equal(crypto, payload[..crypto.Length].ToArray());
        Assert.False(payload[crypto.Length..].ContainsAnyExcept((byte)0));
    }

    [Fact]
    public void The_server_Initial_of_RFC_9001_is_protected_byte_for_byte()
    {
        (PacketKeys _, PacketKeys send) = InitialKeys.Derive(new ConnectionId(Rfc9001Vectors.ClientDestinationId), Side.Server);
        byte[] payload = Rfc9001Vectors.ServerInitialPayload;
        var writer = new WireWriter(new byte[300]);
        int offset = LongHeader.Write(
            ref writer, PacketType.Initial, default, new ConnectionId(Convert.FromHexString("f067a5502a4262b5")), [],
            new PacketNumber(1), 2);
        writer.WriteBytes(payload);
        writer.Advance(AeadKey.TagLength);
        LongHeader.PatchLength(writer.Written, offset);
        Assert.Equal(Rfc9001Vectors.ServerInitialHeader, writer.Written[..20].ToArray());

        send.Protect(writer.Written, offset, 2, PathId.Zero, new PacketNumber(1));
        Assert.Equal(Rfc9001Vectors.ServerInitialPacket, writer.Written.ToArray());
    }

    [Fact]
    public void The_server_Initial_of_RFC_9001_is_opened_by_a_client()
    {
        (PacketKeys receive, PacketKeys _) =
            InitialKeys.Derive(new ConnectionId(Rfc9001Vectors.ClientDestinationId), Side.Client);
        byte[] packet = Rfc9001Vectors.ServerInitialPacket;
        Assert.True(PacketHeader.TryParse(packet, 8, out ParsedHeader header));
        Assert.True(receive.TryRemoveHeaderProtection(packet, header.PacketNumberOffset, out int length, out ulong truncated));
        Assert.Equal((2, 1UL), (length, truncated));
        Assert.True(receive.TryOpen(packet, 20, PathId.Zero, new PacketNumber(1), out Span<byte> payload));
        Assert.Equal(Rfc9001Vectors.ServerInitialPayload, payload.ToArray());
    }

    [Fact]
    public void The_short_header_packet_of_RFC_9001_is_protected_byte_for_byte()
    {
        using var keys = new PacketKeys(CipherSuite.ChaCha20Poly1305Sha256, Rfc9001Vectors.ChaChaSecret);
        var number = new PacketNumber(Rfc9001Vectors.ChaChaPacketNumber);
        var writer = new WireWriter(new byte[64]);
        int offset = ShortHeader.Write(ref writer, default, spin: false, keyPhase: false, number, 3);
        Assert.Equal("4200bff4", Convert.ToHexStringLower(writer.Written));
        PingFrame.Write(ref writer);
        writer.Advance(AeadKey.TagLength);

        keys.Protect(writer.Written, offset, 3, PathId.Zero, number);
        Assert.Equal(Rfc9001Vectors.ChaChaPacket, writer.Written.ToArray());
    }

    [Fact]
    public void The_short_header_packet_of_RFC_9001_is_opened()
    {
        using var keys = new KeyUpdate(
            CipherSuite.ChaCha20Poly1305Sha256, Rfc9001Vectors.ChaChaSecret, Rfc9001Vectors.ChaChaSecret);
        byte[] packet = Rfc9001Vectors.ChaChaPacket;
        Assert.True(PacketHeader.TryParse(packet, 0, out ParsedHeader header));
        Assert.Equal(PacketType.OneRtt, header.Type);
        Assert.True(keys.TryRemoveHeaderProtection(packet, header.PacketNumberOffset, out int length, out ulong truncated));
        Assert.Equal((3, 49_140UL), (length, truncated));
        var number = PacketNumberCodec.Decode(new PacketNumber(Rfc9001Vectors.ChaChaPacketNumber - 1), truncated, length);
        Assert.Equal(Rfc9001Vectors.ChaChaPacketNumber, number.Value);

        KeyPhaseWindow window = default;
        PacketOpening opening = keys.Open(
            packet, header.PacketNumberOffset + length, false, PathId.Zero, number, ref window, default, TimeSpan.FromSeconds(1));
        Assert.True(opening.IsOpened);
        Assert.Equal([0x01], packet.AsSpan(opening.PayloadOffset, opening.PayloadLength).ToArray());
    }

    [Fact]
    public void The_updated_secret_of_RFC_9001_follows_from_the_first()
    {
        byte[] secret = Rfc9001Vectors.ChaChaSecret;
        KeyDerivation.UpdateSecret(CipherSuite.ChaCha20Poly1305Sha256, secret);
        Assert.Equal(Rfc9001Vectors.ChaChaUpdatedSecret, secret);
    }

    [Fact]
    public void The_path_id_is_the_upper_part_of_the_nonce()
    {
        byte[] key = new SeededRandomSource(1).Bytes(16);
        byte[] iv = new SeededRandomSource(2).Bytes(12);
        using var aead = new AeadKey(AeadAlgorithm.Aes128Gcm, key);
        using var cipher = new PacketCipher(AeadAlgorithm.Aes128Gcm, key, iv);
        byte[] packet = new byte[64];
        cipher.Seal(packet, 10, new PathId(0x01020304), new PacketNumber(0x05060708090a0b0c));

        byte[] nonce = [.. iv];
        for (int i = 0; i < nonce.Length; i++)
            nonce[i] ^= (byte)(i + 1);
        byte[] expected = new byte[64];
        aead.Seal(nonce, expected.AsSpan(0, 10), expected.AsSpan(10, 38), expected.AsSpan(48));
        Assert.Equal(expected, packet);
    }

    [Fact]
    public void A_packet_opens_on_its_own_path_and_with_its_own_number_only()
    {
        byte[] secret = new SeededRandomSource(3).Bytes(32);
        using var keys = new PacketKeys(CipherSuite.Aes128GcmSha256, secret);
        byte[] protectedPacket = [0x41, .. new byte[59]];
        keys.Protect(protectedPacket, 9, 2, new PathId(3), new PacketNumber(7));
        Assert.True(TryOpen(new PathId(3), 7));
        Assert.False(TryOpen(new PathId(2), 7));
        Assert.False(TryOpen(new PathId(3), 8));

        bool TryOpen(PathId path, ulong number)
        {
            byte[] packet = [.. protectedPacket];
            Assert.True(keys.TryRemoveHeaderProtection(packet, 9, out int length, out _));
            return keys.TryOpen(packet, 9 + length, path, new PacketNumber(number), out _);
        }
    }

    [Theory]
    [InlineData(CipherSuite.Aes128GcmSha256)]
    [InlineData(CipherSuite.Aes256GcmSha384)]
    [InlineData(CipherSuite.ChaCha20Poly1305Sha256)]
    public void Packets_of_all_sizes_survive_and_any_changed_bit_is_noticed(CipherSuite suite)
    {
        var random = new SeededRandomSource((ulong)suite);
        using var keys = new PacketKeys(suite, random.Bytes(suite.HashLength()));
        var id = new ConnectionId(random.Bytes(8));
        for (int payloadLength = 3; payloadLength < 1400; payloadLength += 7)
        {
            var number = new PacketNumber(random.VarIntValue());
            var path = new PathId((uint)random.NextUInt64());
            int numberLength = 1 + (int)random.NextBelow(4);
            byte[] payload = random.Bytes(payloadLength);
            var writer = new WireWriter(new byte[1500]);
            int offset = ShortHeader.Write(ref writer, id, random.Coin(), random.Coin(), number, numberLength);
            byte[] header = writer.Written.ToArray();
            writer.WriteBytes(payload);
            writer.Advance(AeadKey.TagLength);
            keys.Protect(writer.Written, offset, numberLength, path, number);

            byte[] packet = writer.Written.ToArray();
            Assert.True(keys.TryRemoveHeaderProtection(packet, offset, out int length, out _));
            Assert.Equal(numberLength, length);
            Assert.Equal(header, packet[..header.Length]);
            Assert.True(keys.TryOpen(packet, header.Length, path, number, out Span<byte> opened));
            Assert.Equal(payload, opened.ToArray());

            byte[] changed = writer.Written.ToArray();
            changed[random.NextBelow((ulong)changed.Length)] ^= (byte)(1 << (int)random.NextBelow(8));
            Assert.True(keys.TryRemoveHeaderProtection(changed, offset, out length, out _));
            Assert.False(keys.TryOpen(changed, offset + length, path, number, out _));
        }
    }

    [Fact]
    public void A_packet_without_a_whole_sample_is_refused()
    {
        using var keys = new PacketKeys(CipherSuite.Aes128GcmSha256, new byte[32]);
        for (int length = 9; length < 9 + HeaderProtection.SampleEnd; length++)
            Assert.False(keys.TryRemoveHeaderProtection(new byte[length], 9, out _, out _));
        Assert.True(keys.TryRemoveHeaderProtection(new byte[9 + HeaderProtection.SampleEnd], 9, out _, out _));
    }

    [Fact]
    public void Noise_is_never_opened_and_never_throws()
    {
        var random = new SeededRandomSource(4);
        (PacketKeys receive, PacketKeys _) = InitialKeys.Derive(random.Id(8), Side.Server);
        for (int i = 0; i < 50_000; i++)
        {
            byte[] datagram = random.Mutate(Rfc9001Vectors.ServerInitialPacket);
            if (!PacketHeader.TryParse(datagram, 8, out ParsedHeader header)
                || header.Type is PacketType.Retry or PacketType.VersionNegotiation or PacketType.UnknownVersion)
                continue;
            Span<byte> packet = datagram.AsSpan(0, header.PacketLength);
            if (receive.TryRemoveHeaderProtection(packet, header.PacketNumberOffset, out int length, out ulong truncated))
            {
                PacketNumber number = PacketNumberCodec.Decode(null, truncated, length);
                Assert.False(receive.TryOpen(packet, header.PacketNumberOffset + length, PathId.Zero, number, out _));
            }
        }
    }
}
