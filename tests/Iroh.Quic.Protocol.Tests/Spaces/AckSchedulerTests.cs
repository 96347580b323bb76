using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Spaces;

namespace Iroh.Quic.Protocol.Tests.Spaces;

public class AckSchedulerTests
{
    // The frames of a packet of 1200 bytes, less than what fits.
    private const int FullLength = 1150;

    private static readonly Instant Start = new(1_000_000_000);

    [Fact]
    public void Rfc9000_13_2_2_the_second_full_ack_eliciting_packet_makes_an_ack_due()
    {
        AckScheduler acks = new(isImmediate: false);
        acks.OnPacketReceived(Start, default, FullLength, isAckEliciting: true, isOutOfOrder: false, EcnCodepoint.NotEct);
        Assert.False(acks.IsAckDue(Start));
        acks.OnPacketReceived(Start, default, FullLength, isAckEliciting: true, isOutOfOrder: false, EcnCodepoint.NotEct);
        Assert.True(acks.IsAckDue(Start));
    }

    [Fact]
    public void Small_packets_wait_for_an_answer_that_takes_the_ack_along_until_the_eighth()
    {
        AckScheduler acks = new(isImmediate: false);
        for (int turn = 0; turn < 2; turn++)
        {
            for (int i = 0; i < 7; i++)
                acks.OnPacketReceived(Start, default, 200, isAckEliciting: true, isOutOfOrder: false, EcnCodepoint.NotEct);
            Assert.False(acks.IsAckDue(Start));
            Assert.True(acks.ShouldBundle);
            Assert.Equal(Start + AckScheduler.MaxAckDelay, acks.Deadline);
            acks.OnPacketReceived(Start, default, 200, isAckEliciting: true, isOutOfOrder: false, EcnCodepoint.NotEct);
            Assert.True(acks.IsAckDue(Start));
            acks.OnAckSent();
        }
    }

    [Theory]
    [InlineData(16_000, 1, 2)]
    [InlineData(1, 16_000, 2)]
    [InlineData(700, 700, 4)]
    [InlineData(200, FullLength, 3)]
    public void Two_packets_or_more_that_hold_as_much_as_two_full_ones_make_an_ack_due(int first, int others, int due)
    {
        AckScheduler acks = new(isImmediate: false);
        for (int packet = 1; packet <= due; packet++)
        {
            Assert.False(acks.IsAckDue(Start));
            acks.OnPacketReceived(Start, default, packet == 1 ? first : others, isAckEliciting: true, isOutOfOrder: false, EcnCodepoint.NotEct);
        }

        Assert.True(acks.IsAckDue(Start));
    }

    [Fact]
    public void Rfc9000_13_2_1_one_packet_waits_no_longer_than_max_ack_delay_from_the_first()
    {
        AckScheduler acks = new(isImmediate: false);
        acks.OnPacketReceived(Start, default, FullLength, isAckEliciting: true, isOutOfOrder: false, EcnCodepoint.NotEct);
        acks.OnPacketReceived(Start + TimeSpan.FromMilliseconds(20), default, FullLength, isAckEliciting: false, isOutOfOrder: false, EcnCodepoint.NotEct);
        Assert.Equal(Start + TimeSpan.FromMilliseconds(25), acks.Deadline);
        Assert.False(acks.IsAckDue(Start + TimeSpan.FromMilliseconds(24.9)));
        Assert.True(acks.IsAckDue(Start + TimeSpan.FromMilliseconds(25)));
    }

    [Fact]
    public void Rfc9000_13_2_1_packets_that_elicit_no_ack_never_cause_one()
    {
        AckScheduler acks = new(isImmediate: true);
        for (int i = 0; i < 100; i++)
            acks.OnPacketReceived(Start, default, FullLength, isAckEliciting: false, isOutOfOrder: true, EcnCodepoint.CongestionExperienced);
        Assert.False(acks.IsAckDue(Start + TimeSpan.FromHours(1)));
        Assert.Equal(Instant.Never, acks.Deadline);
        Assert.True(acks.ShouldBundle);
    }

    [Fact]
    public void Rfc9000_13_2_1_initial_and_handshake_packets_are_acknowledged_at_once()
    {
        AckScheduler acks = new(isImmediate: true);
        acks.OnPacketReceived(Start, default, FullLength, isAckEliciting: true, isOutOfOrder: false, EcnCodepoint.NotEct);
        Assert.True(acks.IsAckDue(Start));
    }

    [Fact]
    public void Rfc9000_13_2_1_a_ce_mark_is_acknowledged_at_once()
    {
        AckScheduler acks = new(isImmediate: false);
        acks.OnPacketReceived(Start, default, FullLength, isAckEliciting: true, isOutOfOrder: false, EcnCodepoint.CongestionExperienced);
        Assert.True(acks.IsAckDue(Start));
    }

    [Fact]
    public void A_due_ack_needs_no_timer_and_nothing_is_left_after_it_was_sent()
    {
        AckScheduler acks = new(isImmediate: false);
        acks.OnPacketReceived(Start, default, FullLength, isAckEliciting: true, isOutOfOrder: false, EcnCodepoint.NotEct);
        acks.OnPacketReceived(Start, default, FullLength, isAckEliciting: true, isOutOfOrder: false, EcnCodepoint.NotEct);
        Assert.Equal(Instant.Never, acks.Deadline);
        acks.OnAckSent();
        Assert.Equal(Instant.Never, acks.Deadline);
        Assert.False(acks.IsAckDue(Start + TimeSpan.FromHours(1)));
        Assert.False(acks.ShouldBundle);
    }

    [Fact]
    public void One_ack_answers_a_whole_receive_batch()
    {
        AckScheduler acks = new(isImmediate: false);
        int sent = 0;
        for (int batch = 0; batch < 10; batch++)
        {
            for (int i = 0; i < 64; i++)
                acks.OnPacketReceived(Start, default, FullLength, isAckEliciting: true, isOutOfOrder: false, EcnCodepoint.NotEct);
            while (acks.IsAckDue(Start))
            {
                acks.OnAckSent();
                sent++;
            }
        }

        Assert.Equal(10, sent);
    }
}
