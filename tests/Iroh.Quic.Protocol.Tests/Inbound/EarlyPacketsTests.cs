using Iroh.Quic.Protocol.Inbound;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Tests.Inbound;

public class EarlyPacketsTests
{
    private readonly EarlyPackets _early = new();

    [Fact]
    public void Packets_of_a_level_come_out_in_their_order()
    {
        byte[] first = [1], second = [2], other = [3];
        Assert.True(Add(EncryptionLevel.Application, first));
        Assert.True(Add(EncryptionLevel.Handshake, other));
        Assert.True(Add(EncryptionLevel.Application, second));
        Assert.True(_early.TryTake(EncryptionLevel.Application, out _, out _, out byte[] taken));
        Assert.Equal(first, taken);
        Assert.True(_early.TryTake(EncryptionLevel.Application, out _, out _, out taken));
        Assert.Equal(second, taken);
        Assert.False(_early.TryTake(EncryptionLevel.Application, out _, out _, out _));
        Assert.False(_early.IsEmpty);
    }

    [Fact]
    public void Number_and_size_are_bounded()
    {
        Assert.False(Add(EncryptionLevel.Handshake, new byte[EarlyPackets.PacketLengthMax + 1]));
        for (int i = 0; i < EarlyPackets.CountMax; i++)
            Assert.True(Add(EncryptionLevel.Handshake, new byte[EarlyPackets.PacketLengthMax]));
        Assert.False(Add(EncryptionLevel.Handshake, [1]));
    }

    private bool Add(EncryptionLevel level, byte[] packet) => _early.TryAdd(level, default, EcnCodepoint.NotEct, packet);
}
