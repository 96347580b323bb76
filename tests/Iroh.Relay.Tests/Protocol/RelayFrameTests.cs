using Iroh.Base;
using Iroh.Cryptography;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Relay.Protocol;

namespace Iroh.Relay.Tests.Protocol;

public sealed class RelayFrameTests
{
    private const string IdHex = "197f6b23e16c8532c6abc838facd5ea789be0c76b2920334039bfa8b3d368d61";

    // The id of the unit tests of iroh-relay protos/relay.rs.
    private static readonly EndpointId s_id = SecretKey.FromBytes([.. Enumerable.Repeat((byte)0x2a, 32)]).PublicKey;

    [Fact]
    public void A_batch_to_a_client_is_written_as_in_irohs_unit_tests()
    {
        byte[] frame = new byte[100];
        int length = RelayFrameWriter.WriteDatagram(
            frame, RelayRole.Relay, s_id, EcnCodepoint.CongestionExperienced, 6, "Hello World!"u8);
        Assert.Equal("07" + IdHex + "03" + "0006" + "48656c6c6f20576f726c6421", Convert.ToHexStringLower(frame.AsSpan(0, length)));
        Assert.True(RelayFrame.TryRead(frame.AsSpan(0, length), RelayRole.Relay, RelayVersion.V2, out RelayFrame read, out _));
        Assert.Equal(RelayFrameType.RelayToClientDatagramBatch, read.Type);
        Assert.True(read.IsDatagram);
        Assert.Equal(s_id.Span, read.Peer);
        Assert.Equal(EcnCodepoint.CongestionExperienced, read.Ecn);
        Assert.Equal(6, read.SegmentSize);
        Assert.Equal("Hello World!"u8, read.Payload);
    }

    [Theory]
    [InlineData(RelayRole.Client, 0, 4)]
    [InlineData(RelayRole.Client, 1200, 5)]
    [InlineData(RelayRole.Relay, 0, 6)]
    [InlineData(RelayRole.Relay, 1200, 7)]
    public void The_type_of_a_datagram_tells_sender_and_kind(RelayRole sender, int segmentSize, int type)
    {
        byte[] frame = new byte[100];
        int length = RelayFrameWriter.WriteDatagram(frame, sender, s_id, EcnCodepoint.Ect0, (ushort)segmentSize, [1, 2, 3]);
        Assert.Equal(type, frame[0]);
        Assert.True(RelayFrame.TryRead(frame.AsSpan(0, length), sender, RelayVersion.V1, out RelayFrame read, out _));
        Assert.Equal(segmentSize, read.SegmentSize);
        Assert.Equal([1, 2, 3], read.Payload.ToArray());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(6)]
    public void Forwarding_changes_type_and_id_only(int segmentSize)
    {
        EndpointId source = SecretKey.FromBytes(new byte[32]).PublicKey;
        byte[] frame = new byte[100];
        int length = RelayFrameWriter.WriteDatagram(frame, RelayRole.Client, s_id, EcnCodepoint.Ect0, (ushort)segmentSize, "Hello World!"u8);
        byte[] expected = new byte[100];
        RelayFrameWriter.WriteDatagram(expected, RelayRole.Relay, source, EcnCodepoint.Ect0, (ushort)segmentSize, "Hello World!"u8);
        Assert.Equal(expected.AsSpan(0, length), RelayFrame.Forward(frame.AsSpan(0, length), source));
    }

    [Fact]
    public void A_type_in_two_bytes_is_read_and_forwarded()
    {
        byte[] frame = new byte[100];
        int length = RelayFrameWriter.WriteDatagram(frame.AsSpan(1), RelayRole.Client, s_id, EcnCodepoint.Ect0, 0, [7]);
        frame[0] = 0x40;
        Assert.True(RelayFrame.TryRead(frame.AsSpan(0, length + 1), RelayRole.Client, RelayVersion.V2, out RelayFrame read, out _));
        Assert.Equal([7], read.Payload.ToArray());
        Assert.Equal(length, RelayFrame.Forward(frame.AsSpan(0, length + 1), s_id).Length);
        Assert.Equal((byte)RelayFrameType.RelayToClientDatagram, frame[1]);
    }

    [Fact]
    public void Ping_and_pong_carry_eight_bytes()
    {
        byte[] frame = new byte[RelayFrame.PingLength];
        Assert.Equal(frame.Length, RelayFrameWriter.WritePing(frame, 0x0102030405060708));
        Assert.Equal("090102030405060708", Convert.ToHexStringLower(frame));
        Assert.Equal(frame.Length, RelayFrameWriter.WritePong(frame, 0x0102030405060708));
        Assert.Equal("0a0102030405060708", Convert.ToHexStringLower(frame));
        Assert.True(RelayFrame.TryRead(frame, RelayRole.Relay, RelayVersion.V1, out RelayFrame read, out _));
        Assert.Equal(0x0102030405060708ul, read.PingData);
        Assert.True(RelayFrame.TryRead([0x40, 0x09, 1, 2, 3, 4, 5, 6, 7, 8], RelayRole.Client, RelayVersion.V2, out read, out _));
        Assert.Equal(RelayFrameType.Ping, read.Type);
    }

    [Fact]
    public void A_restart_gives_two_times_in_milliseconds()
    {
        byte[] frame = new byte[9];
        RelayFrameWriter.WriteRestarting(frame, TimeSpan.FromMilliseconds(500), TimeSpan.FromSeconds(30));
        Assert.Equal("0c000001f400007530", Convert.ToHexStringLower(frame));
        Assert.True(RelayFrame.TryRead(frame, RelayRole.Relay, RelayVersion.V2, out RelayFrame read, out _));
        Assert.Equal(TimeSpan.FromMilliseconds(500), read.ReconnectIn);
        Assert.Equal(TimeSpan.FromSeconds(30), read.TryFor);
    }

    [Fact]
    public void A_status_may_be_unknown_and_may_have_more_bytes()
    {
        Assert.True(RelayFrame.TryRead([13, 1, 99, 99], RelayRole.Relay, RelayVersion.V2, out RelayFrame read, out _));
        Assert.Equal(RelayStatus.SameEndpointIdConnected, read.Status);
        Assert.True(RelayFrame.TryRead([13, 200], RelayRole.Relay, RelayVersion.V2, out read, out _));
        Assert.Equal((RelayStatus)200, read.Status);
    }

    [Fact]
    public void Health_is_text()
    {
        byte[] frame = new byte[20];
        int length = RelayFrameWriter.WriteHealth(frame, "busy");
        Assert.True(RelayFrame.TryRead(frame.AsSpan(0, length), RelayRole.Relay, RelayVersion.V1, out RelayFrame read, out _));
        Assert.Equal("busy", read.Text);
    }

    [Fact]
    public void An_empty_datagram_is_read_but_never_written()
    {
        byte[] frame = new byte[RelayFrame.DatagramHeaderLength];
        RelayFrameWriter.WriteDatagramHeader(new byte[50], RelayRole.Relay, s_id, EcnCodepoint.NotEct, 0);
        frame[0] = 6;
        Assert.True(RelayFrame.TryRead(frame, RelayRole.Relay, RelayVersion.V2, out RelayFrame read, out _));
        Assert.True(read.Payload.IsEmpty);
        Assert.Throws<ArgumentException>(() => RelayFrameWriter.WriteDatagram(new byte[100], RelayRole.Client, s_id, EcnCodepoint.NotEct, 0, []));
    }

    // The frames that make a real client of 1.0.2 drop its connection.
    [Theory]
    [InlineData("", RelayFrameError.Truncated)]
    [InlineData("40", RelayFrameError.Truncated)]
    [InlineData("0e", RelayFrameError.UnknownType)]
    [InlineData("4040", RelayFrameError.UnknownType)]
    [InlineData("ffffffffffffffff", RelayFrameError.UnknownType)]
    [InlineData("02", RelayFrameError.UnexpectedType)]
    [InlineData("04" + IdHex + "0001", RelayFrameError.UnexpectedType)]
    [InlineData("0b61", RelayFrameError.UnexpectedType)]
    [InlineData("0901020304050607", RelayFrameError.WrongLength)]
    [InlineData("09010203040506070809", RelayFrameError.WrongLength)]
    [InlineData("0a", RelayFrameError.WrongLength)]
    [InlineData("08" + "197f", RelayFrameError.WrongLength)]
    [InlineData("06" + IdHex, RelayFrameError.WrongLength)]
    [InlineData("07" + IdHex + "0000", RelayFrameError.WrongLength)]
    [InlineData("0c00000000000000", RelayFrameError.WrongLength)]
    [InlineData("0d", RelayFrameError.WrongLength)]
    public void A_relays_bad_frame_is_named(string hex, RelayFrameError error)
    {
        Assert.False(RelayFrame.TryRead(Convert.FromHexString(hex), RelayRole.Relay, RelayVersion.V2, out _, out RelayFrameError found));
        Assert.Equal(error, found);
    }

    [Fact]
    public void Status_belongs_to_version_2_and_text_is_checked()
    {
        Assert.False(RelayFrame.TryRead([13, 0], RelayRole.Relay, RelayVersion.V1, out _, out RelayFrameError error));
        Assert.Equal(RelayFrameError.UnexpectedType, error);
        Assert.False(RelayFrame.TryRead([11, 0xff], RelayRole.Relay, RelayVersion.V1, out _, out error));
        Assert.Equal(RelayFrameError.InvalidText, error);
    }

    [Theory]
    [InlineData(6)]
    [InlineData(8)]
    [InlineData(12)]
    [InlineData(13)]
    public void A_client_may_not_send_what_relays_send(byte type)
    {
        byte[] frame = new byte[1 + 33];
        frame[0] = type;
        Assert.False(RelayFrame.TryRead(frame, RelayRole.Client, RelayVersion.V2, out _, out RelayFrameError error));
        Assert.Equal(RelayFrameError.UnexpectedType, error);
    }

    [Fact]
    public void A_body_of_64_KiB_is_read_and_one_byte_more_is_not()
    {
        byte[] frame = new byte[1 + RelayFrame.BodyLengthMax + 1];
        frame[0] = 6;
        Assert.True(RelayFrame.TryRead(frame.AsSpan(0, frame.Length - 1), RelayRole.Relay, RelayVersion.V2, out _, out _));
        Assert.False(RelayFrame.TryRead(frame, RelayRole.Relay, RelayVersion.V2, out _, out RelayFrameError error));
        Assert.Equal(RelayFrameError.TooLarge, error);
    }

    [Fact]
    public void The_largest_payload_makes_the_largest_frame()
    {
        byte[] frame = new byte[RelayFrame.LengthMax];
        byte[] payload = new byte[RelayFrame.PayloadLengthMax + 1];
        int length = RelayFrameWriter.WriteDatagram(frame, RelayRole.Client, s_id, EcnCodepoint.NotEct, 1200, payload.AsSpan(1));
        Assert.Equal(RelayFrame.LengthMax, length);
        Assert.Throws<ArgumentException>(() => RelayFrameWriter.WriteDatagram(frame, RelayRole.Client, s_id, EcnCodepoint.NotEct, 0, payload));
    }

    [Fact]
    public void Any_bytes_are_a_frame_or_an_error()
    {
        const ulong Seed = 2;
        var random = new SeededRandomSource(Seed);
        for (int round = 0; round < 20_000; round++)
        {
            byte[] message = new byte[random.NextBelow(80)];
            random.Fill(message);
            if (round % 2 == 0 && message.Length > 0)
                message[0] &= 15;
            RelayRole sender = round % 3 == 0 ? RelayRole.Client : RelayRole.Relay;
            RelayVersion version = round % 5 == 0 ? RelayVersion.V1 : RelayVersion.V2;
            bool read = RelayFrame.TryRead(message, sender, version, out RelayFrame frame, out RelayFrameError error);
            Assert.True(read == (error == RelayFrameError.None), $"seed {Seed}, round {round}");
            if (!read)
                continue;
            Assert.True(frame.Payload.Length < message.Length, $"seed {Seed}, round {round}");
            Assert.True(frame.ReconnectIn >= TimeSpan.Zero && frame.TryFor >= TimeSpan.Zero && frame.Text.Length < message.Length, $"seed {Seed}, round {round}");
            if (frame.IsDatagram && sender == RelayRole.Client)
                Assert.True(
                    RelayFrame.TryRead(RelayFrame.Forward(message, s_id), RelayRole.Relay, version, out RelayFrame forwarded, out _)
                    && forwarded.Payload.Length == frame.Payload.Length
                    && forwarded.Peer.SequenceEqual(s_id.Span),
                    $"seed {Seed}, round {round}");
        }
    }
}
