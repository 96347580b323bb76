using Iroh.Cryptography;
using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Tests.Codec.Frames;

public class FrameTests
{
    public static TheoryData<ulong> AllTypes() => [.. AnyFrame.Types];

    [Theory]
    [MemberData(nameof(AllTypes))]
    public void A_random_frame_of_each_type_survives_writing_and_reading(ulong type)
    {
        var random = new SeededRandomSource(type);
        byte[] first = new byte[2048];
        byte[] second = new byte[2048];
        for (int i = 0; i < 2_000; i++)
        {
            var writer = new WireWriter(first);
            AnyFrame.WriteRandom(random, type, ref writer);
            var reader = new WireReader(writer.Written);
            Assert.True(FrameReader.TryReadType(ref reader, out ulong read, out _));
            Assert.Equal(type, read);

            var copy = new WireWriter(second);
            Assert.NotNull(AnyFrame.Copy(ref reader, type, ref copy));
            Assert.Equal(0, reader.Remaining);
            Assert.True(writer.Written.SequenceEqual(copy.Written), $"type {type:x}, round {i}");
        }
    }

    [Theory]
    [MemberData(nameof(AllTypes))]
    public void Whatever_can_be_read_is_equal_after_writing_and_reading_it_again(ulong type)
    {
        ulong seed = 1000 + type;
        var random = new SeededRandomSource(seed);
        byte[] valid = new byte[2048];
        byte[] encoded = new byte[2048];
        byte[] scratch = new byte[2048];
        int parsed = 0;
        for (int i = 0; i < 50_000; i++)
        {
            var writer = new WireWriter(valid);
            AnyFrame.WriteRandom(random, type, ref writer);
            byte[] input = random.Mutate(writer.Written[VarInt.Length(type)..]);

            var reader = new WireReader(input);
            var copy = new WireWriter(encoded);
            if (AnyFrame.Copy(ref reader, type, ref copy) is not { } text)
                continue;
            parsed++;
            var again = new WireReader(copy.Written);
            Assert.True(FrameReader.TryReadType(ref again, out ulong writtenType, out _), $"seed {seed}, round {i}");
            var last = new WireWriter(scratch);
            Assert.Equal(text, AnyFrame.Copy(ref again, writtenType, ref last));
            Assert.Equal(0, again.Remaining);
        }

        Assert.True(parsed > 1_000, $"seed {seed}: only {parsed} inputs could be read");
    }

    [Fact]
    public void Whole_payloads_of_noise_are_read_to_their_end_or_refused()
    {
        const ulong Seed = 7;
        var random = new SeededRandomSource(Seed);
        byte[] encoded = new byte[4096];
        for (int i = 0; i < 50_000; i++)
        {
            byte[] input = random.BytesUpTo(200);
            for (int j = 0; j < input.Length; j += 1 + (int)random.NextBelow(8))
                input[j] = (byte)AnyFrame.Types[random.NextBelow((ulong)AnyFrame.Types.Length)];
            var reader = new WireReader(input);
            var writer = new WireWriter(encoded);
            while (reader.Remaining > 0 && FrameReader.TryReadType(ref reader, out ulong type, out _))
            {
                int before = reader.Remaining;
                if (FramePermissions.Check(type, Tls.EncryptionLevel.Application, Side.Server) is not null
                    || AnyFrame.Copy(ref reader, type, ref writer) is null)
                    break;
                Assert.True(reader.Remaining <= before, $"seed {Seed}, round {i}");
            }
        }
    }

    // The layouts of RFC 9000 §19 and RFC 9221 §4, field by field.
    [Theory]
    [InlineData("0000000000", "PaddingFrame { Length = 5, EncodedLength = 5 }")]
    [InlineData("01", "Ping")]
    [InlineData("021105000a", "Ack 5  7-17")]
    [InlineData("020a4100010302 01", "Ack 256  7-10 2-3")]
    [InlineData("030a00010000 02010203", "Ack 0 EcnCounts { Ect0 = 1, Ect1 = 2, Ce = 3 } 10-10 6-8")]
    [InlineData("06024403010203", null)]
    [InlineData("060203010203", "Crypto 2 010203")]
    [InlineData("070261ff", "NewToken 61FF")]
    [InlineData("08046869", "Stream StreamId { Value = 4, Initiator = Client, Direction = Bidirectional, Index = 1 } 0 False False 6869")]
    [InlineData("0f0640640168", "Stream StreamId { Value = 6, Initiator = Client, Direction = Unidirectional, Index = 1 } 100 True True 68")]
    [InlineData("1c0a06026162", "Close False 10 6 6162")]
    [InlineData("1d0a026162", "Close True 10 0 6162")]
    [InlineData("1e", "HandshakeDone")]
    [InlineData("306869", "Datagram False 6869")]
    [InlineData("31026869", "Datagram True 6869")]
    public void Fields_are_where_the_RFC_puts_them(string hex, string? expected)
    {
        Assert.Equal(expected, Read(hex));
    }

    // The layouts of the multipath, ACK frequency and address discovery drafts and of iroh's NAT traversal.
    [Theory]
    [InlineData("3e03" + "1105000a", "Path 3 Ack 5  7-17")]
    [InlineData("3f03" + "0a000100000201 0203", "Path 3 Ack 0 EcnCounts { Ect0 = 1, Ect1 = 2, Ce = 3 } 10-10 6-8")]
    [InlineData("3ec000000100000000" + "1105000a", null)]
    [InlineData("1f", "ImmediateAck")]
    [InlineData("40af01024064 03", "AckFrequencyFrame { SequenceNumber = 1, AckElicitingThreshold = 2, RequestedMaxAckDelayMicroseconds = 100, "
        + "ReorderingThreshold = 3, EncodedLength = 7 }")]
    [InlineData("7e75033e", "PathAbandonFrame { Path = PathId { Value = 3 }, ErrorCode = 62, EncodedLength = 4 }")]
    [InlineData("7e760301", "PathStatusFrame { Path = PathId { Value = 3 }, SequenceNumber = 1, IsBackup = True, EncodedLength = 4 }")]
    [InlineData("7e770302", "PathStatusFrame { Path = PathId { Value = 3 }, SequenceNumber = 2, IsBackup = False, EncodedLength = 4 }")]
    [InlineData("7e790305", "PathRetireConnectionIdFrame { Path = PathId { Value = 3 }, SequenceNumber = 5, EncodedLength = 4 }")]
    [InlineData("7e7a07", "MaxPathIdFrame { Maximum = PathId { Value = 7 }, EncodedLength = 3 }")]
    [InlineData("7e7ac000000100000000", null)]
    [InlineData("7e7b07", "PathsBlockedFrame { Limit = PathId { Value = 7 }, EncodedLength = 3 }")]
    [InlineData("7e7c0300", "PathCidsBlockedFrame { Path = PathId { Value = 3 }, NextSequenceNumber = 0, EncodedLength = 4 }")]
    [InlineData("809f81a604c00002011234", "ObservedAddressFrame { SequenceNumber = 4, Address = 192.0.2.1:4660, EncodedLength = 11 }")]
    [InlineData("809f81a70420010db80000000000000000000000011234",
        "ObservedAddressFrame { SequenceNumber = 4, Address = [2001:db8::1]:4660, EncodedLength = 23 }")]
    [InlineData("809f81a70400000000000000000000ffffc00002011234",
        "ObservedAddressFrame { SequenceNumber = 4, Address = 192.0.2.1:4660, EncodedLength = 11 }")]
    [InlineData("803d7f9000c00002011234", "AddAddressFrame { SequenceNumber = 0, Address = 192.0.2.1:4660, EncodedLength = 11 }")]
    [InlineData("803d7f9201c00002011234", "ReachOutFrame { Round = 1, Address = 192.0.2.1:4660, EncodedLength = 11 }")]
    [InlineData("803d7f9301c0000201123400", null)]
    [InlineData("9b1a5e400001c00002011234",
        "NatMappingFrame { SequenceNumber = 0, VariesByDestination = True, Address = 192.0.2.1:4660, EncodedLength = 12 }")]
    [InlineData("9b1a5e400002c00002011234", null)]
    [InlineData("9b1a5e4201", "PortSearchFrame { Round = 1, EncodedLength = 5 }")]
    [InlineData("803d7f9409", "RemoveAddressFrame { SequenceNumber = 9, EncodedLength = 5 }")]
    public void Fields_of_extensions_are_where_their_documents_put_them(string hex, string? expected)
    {
        Assert.Equal(expected, Read(hex));
    }

    [Fact]
    public void A_connection_id_of_a_path_has_the_fields_of_one_without_behind_the_path_id()
    {
        const string Fields = "0501" + "02090a" + "000102030405060708090a0b0c0d0e0f";
        string? plain = Read("18" + Fields);
        Assert.NotNull(plain);
        Assert.Contains(plain[..plain.IndexOf(", EncodedLength", StringComparison.Ordinal)], Read("7e7803" + Fields), StringComparison.Ordinal);
        Assert.Null(Read("7e7803" + "0501" + "00" + "000102030405060708090a0b0c0d0e0f"));
        Assert.Null(Read("7e7803" + "0506" + "02090a" + "000102030405060708090a0b0c0d0e0f"));
    }

    [Fact]
    public void Frames_of_fixed_fields_are_laid_out_as_the_RFC_says()
    {
        Assert.Equal("04040507", Hex(new ResetStreamFrame(new StreamId(4), 5, 7).Write));
        Assert.Equal("050405", Hex(new StopSendingFrame(new StreamId(4), 5).Write));
        Assert.Equal("104064", Hex(new MaxDataFrame(100).Write));
        Assert.Equal("11044064", Hex(new MaxStreamDataFrame(new StreamId(4), 100).Write));
        Assert.Equal("1209", Hex(new MaxStreamsFrame(StreamDirection.Bidirectional, 9).Write));
        Assert.Equal("1309", Hex(new MaxStreamsFrame(StreamDirection.Unidirectional, 9).Write));
        Assert.Equal("1409", Hex(new DataBlockedFrame(9).Write));
        Assert.Equal("150409", Hex(new StreamDataBlockedFrame(new StreamId(4), 9).Write));
        Assert.Equal("1609", Hex(new StreamsBlockedFrame(StreamDirection.Bidirectional, 9).Write));
        Assert.Equal("1709", Hex(new StreamsBlockedFrame(StreamDirection.Unidirectional, 9).Write));
        Assert.Equal(
            "18050302ABCD000102030405060708090A0B0C0D0E0F",
            Hex(new NewConnectionIdFrame(
                5, 3, new ConnectionId([0xab, 0xcd]), new(Convert.FromHexString("000102030405060708090a0b0c0d0e0f"))).Write));
        Assert.Equal("1905", Hex(new RetireConnectionIdFrame(5).Write));
        Assert.Equal("1A0102030405060708", Hex(new PathChallengeFrame(0x0102030405060708).Write));
        Assert.Equal("1B0102030405060708", Hex(new PathResponseFrame(0x0102030405060708).Write));
    }

    // What RFC 9000 §19 makes a FRAME_ENCODING_ERROR, one row a rule.
    [Theory]
    [InlineData("06ffffffffffffffff0161", "CRYPTO beyond 2^62-1")]
    [InlineData("0700", "an empty token")]
    [InlineData("0e00ffffffffffffffff0161", "STREAM beyond 2^62-1")]
    [InlineData("0c00ffffffffffffffff61", "STREAM without length beyond 2^62-1")]
    [InlineData("12d000000000000001", "MAX_STREAMS above 2^60")]
    [InlineData("13d000000000000001", "MAX_STREAMS above 2^60, unidirectional")]
    [InlineData("16d000000000000001", "STREAMS_BLOCKED above 2^60")]
    [InlineData("17d000000000000001", "STREAMS_BLOCKED above 2^60, unidirectional")]
    [InlineData("18020000000102030405060708090a0b0c0d0e0f", "a connection id of no bytes")]
    [InlineData("18020015000102030405060708090a0b0c0d0e0f101112131400000000000000000000000000000000", "a connection id of 21 bytes")]
    [InlineData("18010201ab000102030405060708090a0b0c0d0e0f", "retire prior to above the sequence number")]
    [InlineData("18020001ab000102030405060708090a0b0c0d0e", "a reset token that is cut off")]
    [InlineData("1a01020304050607", "a challenge of seven bytes")]
    [InlineData("0205000006", "a first range below packet number 0")]
    [InlineData("02050001020200", "a gap below packet number 0")]
    [InlineData("02050001010102", "a range below packet number 0")]
    [InlineData("020500ffffffffffffffff00", "more ranges than there are bytes")]
    [InlineData("03050000000102", "ECN counts that are cut off")]
    [InlineData("1c000005616263", "a reason that is cut off")]
    [InlineData("3105616263", "a datagram that is cut off")]
    public void A_frame_that_breaks_its_rules_is_refused(string hex, string why)
    {
        Assert.True(Read(hex) is null, why);
    }

    [Theory]
    [InlineData("12d000000000000000", "2^60 streams")]
    [InlineData("0e00fffffffffffffffe0161", "a stream of 2^62-1 bytes")]
    [InlineData("06fffffffffffffffe0161", "a crypto stream of 2^62-1 bytes")]
    [InlineData("18020214000102030405060708090a0b0c0d0e0f1011121300000000000000000000000000000000", "a connection id of 20 bytes")]
    [InlineData("0205000005", "a first range down to packet number 0")]
    [InlineData("02050001010200", "a second range of packet number 0 alone")]
    public void A_frame_at_the_limit_is_accepted(string hex, string what)
    {
        Assert.True(Read(hex) is not null, what);
    }

    [Fact]
    public void A_frame_type_in_a_longer_form_is_a_protocol_violation()
    {
        var reader = new WireReader([0x40, 0x01]);
        Assert.False(FrameReader.TryReadType(ref reader, out _, out TransportError? error));
        Assert.Equal(TransportErrorCode.ProtocolViolation, error.Code);
    }

    [Fact]
    public void A_frame_type_that_is_cut_off_is_an_encoding_error()
    {
        var reader = new WireReader([0x80, 0x01]);
        Assert.False(FrameReader.TryReadType(ref reader, out _, out TransportError? error));
        Assert.Equal(TransportErrorCode.FrameEncodingError, error.Code);
    }

    [Fact]
    public void The_reason_of_a_close_is_cut_between_two_characters_to_fit()
    {
        byte[] reason = [.. "abcdefgh"u8, .. "\u20ac\u20ac"u8];
        var frame = ConnectionCloseFrame.Application(7, reason);
        for (int space = 26 - 1; space >= 3; space--)
        {
            ConnectionCloseFrame cut = frame.TruncateTo(space);
            Assert.True(cut.EncodedLength <= space, $"{space}");
            Assert.True(reason.AsSpan().StartsWith(cut.Reason));
            Assert.DoesNotContain('\ufffd', cut.ReasonText);
        }

        Assert.Equal(reason.Length, frame.TruncateTo(frame.EncodedLength).Reason.Length);
        Assert.Equal("abcdefgh\u20ac", frame.TruncateTo(frame.EncodedLength - 1).ReasonText);
    }

    [Fact]
    public void The_data_that_fits_fills_the_space_as_far_as_a_length_field_lets_it()
    {
        var id = new StreamId(4);
        for (int space = 0; space < 20_000; space++)
        {
            int length = StreamFrame.DataLengthMax(id, 100, space);
            if (length == 0)
            {
                Assert.True(space <= StreamFrame.HeaderLength(id, 100, 1, true), $"{space}");
                continue;
            }

            Assert.True(StreamFrame.HeaderLength(id, 100, length, true) + length <= space, $"{space}");
            Assert.True(StreamFrame.HeaderLength(id, 100, length + 1, true) + length + 1 > space, $"{space}");
        }

        Assert.Equal(63, DatagramFrame.DataLengthMax(1 + 1 + 63));
        Assert.Equal(63, CryptoFrame.DataLengthMax(0, 1 + 1 + 1 + 63));
    }

    private static string? Read(string hex)
    {
        byte[] bytes = Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal));
        var reader = new WireReader(bytes);
        Assert.True(FrameReader.TryReadType(ref reader, out ulong type, out _));
        var writer = new WireWriter(new byte[256]);
        string? text = AnyFrame.Copy(ref reader, type, ref writer);
        Assert.True(text is null || reader.Remaining == 0);
        return text;
    }

    private delegate void WriteFrame(ref WireWriter writer);

    private static string Hex(WriteFrame write)
    {
        var writer = new WireWriter(new byte[64]);
        write(ref writer);
        return Convert.ToHexString(writer.Written);
    }
}
