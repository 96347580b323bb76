using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Tests.Codec.Frames;

public class FramePermissionsTests
{
    // RFC 9000 table 3 (packets: I, H, 1; specials: N not ack-eliciting, P probing), DATAGRAM of RFC 9221 and the extensions.
    [Theory]
    [InlineData(0x00, 0x00, "IH1", "NP")]
    [InlineData(0x01, 0x01, "IH1", "")]
    [InlineData(0x02, 0x03, "IH1", "N")]
    [InlineData(0x04, 0x04, "1", "")]
    [InlineData(0x05, 0x05, "1", "")]
    [InlineData(0x06, 0x06, "IH1", "")]
    [InlineData(0x07, 0x07, "1", "")]
    [InlineData(0x08, 0x17, "1", "")]
    [InlineData(0x18, 0x18, "1", "P")]
    [InlineData(0x19, 0x19, "1", "")]
    [InlineData(0x1a, 0x1b, "1", "P")]
    [InlineData(0x1c, 0x1c, "IH1", "N")]
    [InlineData(0x1d, 0x1d, "1", "N")]
    [InlineData(0x1e, 0x1e, "1", "")]
    [InlineData(0x1f, 0x1f, "1", "")]
    [InlineData(0x30, 0x31, "1", "")]
    [InlineData(0x3e, 0x3f, "1", "N")]
    [InlineData(0xaf, 0xaf, "1", "")]
    [InlineData(0x3e75, 0x3e77, "1", "")]
    [InlineData(0x3e78, 0x3e78, "1", "P")]
    [InlineData(0x3e79, 0x3e7c, "1", "")]
    [InlineData(0x3d7f90, 0x3d7f91, "1", "")]
    [InlineData(0x3d7f94, 0x3d7f94, "1", "")]
    [InlineData(0x1b1a5e40, 0x1b1a5e42, "1", "")]
    [InlineData(0x9f81a6, 0x9f81a7, "1", "P")]
    public void The_table_is_that_of_RFC_9000(ulong first, ulong last, string packets, string specials)
    {
        for (ulong type = first; type <= last; type++)
        {
            Assert.Equal(packets.Contains('I'), FramePermissions.Check(type, EncryptionLevel.Initial, Side.Server) is null);
            Assert.Equal(packets.Contains('H'), FramePermissions.Check(type, EncryptionLevel.Handshake, Side.Server) is null);
            Assert.Equal(packets.Contains('1'), FramePermissions.Check(type, EncryptionLevel.Application, Side.Server) is null);
            Assert.Equal(!specials.Contains('N'), FramePermissions.IsAckEliciting(type));
            Assert.Equal(specials.Contains('P'), FramePermissions.IsProbing(type));
        }
    }

    [Fact]
    public void The_table_covers_all_frames_and_no_other_types()
    {
        foreach (ulong start in (ulong[])[0, 0x3e00, 0x3d7f00, 0x9f8100, 0x1b1a5e00])
        {
            for (ulong type = start; type < start + 0x100; type++)
            {
                TransportError? error = FramePermissions.Check(type, EncryptionLevel.Application, Side.Server);
                Assert.True(AnyFrame.Types.Contains(type) == (error?.Code != TransportErrorCode.FrameEncodingError), $"{type:x}");
            }
        }
    }

    [Fact]
    public void A_known_frame_in_the_wrong_packet_is_a_protocol_violation()
    {
        TransportError? error = FramePermissions.Check(FrameType.Stream, EncryptionLevel.Handshake, Side.Client);
        Assert.Equal(TransportErrorCode.ProtocolViolation, error?.Code);
        Assert.Equal(FrameType.Stream, error?.FrameType);
    }

    [Theory]
    [InlineData(FrameType.NewToken)]
    [InlineData(FrameType.HandshakeDone)]
    public void What_only_a_server_sends_is_a_protocol_violation_from_a_client(ulong type)
    {
        Assert.Null(FramePermissions.Check(type, EncryptionLevel.Application, Side.Server));
        TransportError? error = FramePermissions.Check(type, EncryptionLevel.Application, Side.Client);
        Assert.Equal(TransportErrorCode.ProtocolViolation, error?.Code);
    }

    [Theory]
    [InlineData(FrameType.AddAddressIPv4, Side.Server)]
    [InlineData(FrameType.AddAddressIPv6, Side.Server)]
    [InlineData(FrameType.RemoveAddress, Side.Server)]
    [InlineData(FrameType.ReachOutIPv4, Side.Client)]
    [InlineData(FrameType.ReachOutIPv6, Side.Client)]
    public void Frames_of_NAT_traversal_come_from_one_side_only(ulong type, Side sender)
    {
        Assert.Null(FramePermissions.Check(type, EncryptionLevel.Application, sender));
        TransportError? error = FramePermissions.Check(type, EncryptionLevel.Application, 1 - sender);
        Assert.Equal(TransportErrorCode.ProtocolViolation, error?.Code);
        Assert.True(FramePermissions.IsAckEliciting(type));
    }
}
