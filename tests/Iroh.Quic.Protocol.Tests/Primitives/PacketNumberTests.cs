using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Tests.Primitives;

public class PacketNumberTests
{
    [Fact]
    public void The_text_of_a_packet_number_is_its_value()
    {
        Assert.Equal("7", new PacketNumber(7).ToString());
        Assert.Equal("4611686018427387903", PacketNumber.Max.ToString());
    }
}
