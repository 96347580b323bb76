using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Recovery;

namespace Iroh.Quic.Protocol.Tests.Recovery;

public class EcnValidatorTests
{
    [Fact]
    public void Rfc9000_A_4_ten_packets_are_marked_and_then_an_answer_is_awaited()
    {
        EcnValidator ecn = new();
        for (int i = 0; i < EcnValidator.TestingPackets; i++)
        {
            Assert.Equal(EcnCodepoint.Ect0, ecn.Mark);
            ecn.OnMarkedPacketSent();
        }

        Assert.Equal(EcnCodepoint.NotEct, ecn.Mark);
        Assert.False(ecn.OnAck(new EcnCounts(1, 0, 0), default, 1, 10));
        Assert.True(ecn.IsCapable);
        Assert.Equal(EcnCodepoint.Ect0, ecn.Mark);
    }

    [Fact]
    public void Rfc9000_A_4_marking_ends_when_all_of_the_first_packets_are_lost()
    {
        EcnValidator ecn = new();
        for (int i = 0; i < EcnValidator.TestingPackets; i++)
            ecn.OnMarkedPacketSent();
        for (int i = 0; i < EcnValidator.TestingPackets; i++)
        {
            Assert.False(ecn.HasFailed);
            ecn.OnMarkedPacketLost();
        }

        Assert.True(ecn.HasFailed);
    }

    [Fact]
    public void Losses_after_validation_do_not_end_marking()
    {
        EcnValidator ecn = Capable();
        for (int i = 0; i < 100; i++)
            ecn.OnMarkedPacketLost();
        Assert.True(ecn.IsCapable);
    }

    [Fact]
    public void Rfc9000_13_4_2_1_missing_counts_fail_only_if_marked_packets_are_acknowledged()
    {
        EcnValidator ecn = new();
        ecn.OnAck(null, default, 0, 0);
        Assert.False(ecn.HasFailed);
        ecn.OnAck(null, default, 1, 1);
        Assert.True(ecn.HasFailed);
    }

    [Theory]
    [InlineData(4, 0, 0, "fewer marks than packets acknowledged")]
    [InlineData(7, 0, 4, "more marks than packets sent")]
    [InlineData(5, 1, 0, "ECT(1), which was never sent")]
    [InlineData(2, 0, 5, "ECT(0) counts that went back")]
    public void Rfc9000_13_4_2_1_wrong_counts_fail(ulong ect0, ulong ect1, ulong ce, string why)
    {
        EcnValidator ecn = Capable();
        Assert.False(ecn.OnAck(new EcnCounts(ect0, ect1, ce), new EcnCounts(3, 0, 0), 2, 10));
        Assert.True(ecn.HasFailed, why);
        Assert.Equal(EcnCodepoint.NotEct, ecn.Mark);
    }

    [Fact]
    public void Rfc9000_13_4_2_1_marks_of_packets_whose_ack_was_lost_are_not_too_many()
    {
        EcnValidator ecn = Capable();
        ecn.OnAck(new EcnCounts(8, 0, 0), new EcnCounts(3, 0, 0), 2, 10);
        Assert.True(ecn.IsCapable);
    }

    [Fact]
    public void Rfc9002_7_1_only_new_ce_marks_are_reported()
    {
        EcnValidator ecn = Capable();
        Assert.True(ecn.OnAck(new EcnCounts(4, 0, 1), new EcnCounts(3, 0, 0), 2, 10));
        Assert.False(ecn.OnAck(new EcnCounts(6, 0, 1), new EcnCounts(4, 0, 1), 2, 10));
    }

    [Fact]
    public void Failure_is_final()
    {
        EcnValidator ecn = Capable();
        ecn.OnAck(null, default, 1, 10);
        Assert.False(ecn.OnAck(new EcnCounts(5, 0, 1), default, 1, 10));
        Assert.True(ecn.HasFailed);
    }

    private static EcnValidator Capable()
    {
        EcnValidator ecn = new();
        ecn.OnMarkedPacketSent();
        ecn.OnAck(new EcnCounts(3, 0, 0), default, 3, 10);
        Assert.True(ecn.IsCapable);
        return ecn;
    }
}
