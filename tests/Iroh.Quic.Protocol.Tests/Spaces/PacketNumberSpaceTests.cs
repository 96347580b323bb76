using Iroh.Cryptography;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Spaces;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Tests.Spaces;

public class PacketNumberSpaceTests
{
    private static readonly Instant Start = new(1_000_000_000);

    [Fact]
    public void One_number_is_skipped_in_the_first_64_and_one_in_every_octave_after()
    {
        for (ulong seed = 0; seed < 200; seed++)
        {
            PacketNumberSpace space = new(EncryptionLevel.Application, new SeededRandomSource(seed));
            HashSet<ulong> used = [];
            while (space.NextNumber.Value < 4096)
                Assert.True(used.Add(space.TakeNumber().Value));

            foreach ((ulong first, ulong last) in new[] { (0UL, 63UL), (64UL, 127UL), (128UL, 255UL), (256UL, 511UL), (512UL, 1023UL), (1024UL, 2047UL), (2048UL, 4095UL) })
            {
                ulong count = last - first + 1;
                ulong present = (ulong)used.Count(n => n >= first && n <= last);
                Assert.True(present == count - 1, $"seed {seed}: {count - present} numbers skipped in {first}..{last}");
            }
        }
    }

    [Theory]
    [InlineData(EncryptionLevel.Initial)]
    [InlineData(EncryptionLevel.Handshake)]
    public void Handshake_spaces_skip_no_number(EncryptionLevel level)
    {
        PacketNumberSpace space = new(level, new SeededRandomSource(1));
        for (ulong expected = 0; expected < 300; expected++)
            Assert.Equal(expected, space.TakeNumber().Value);
    }

    [Fact]
    public void Rfc9000_13_1_acknowledging_a_number_never_sent_is_a_protocol_violation()
    {
        PacketNumberSpace space = new(EncryptionLevel.Initial, new SeededRandomSource(1));
        space.TakeNumber();
        Assert.Null(space.CheckAcknowledged([Range(0, 0)]));
        Assert.Equal(TransportErrorCode.ProtocolViolation, space.CheckAcknowledged([Range(0, 1)])!.Code);
        Assert.Equal(TransportErrorCode.ProtocolViolation, space.CheckAcknowledged([Range(1, 1), Range(0, 0)])!.Code);
    }

    [Fact]
    public void Rfc9000_21_4_acknowledging_a_skipped_number_is_a_protocol_violation_however_late()
    {
        for (ulong seed = 0; seed < 100; seed++)
        {
            PacketNumberSpace space = new(EncryptionLevel.Application, new SeededRandomSource(seed));
            HashSet<ulong> used = [];
            while (space.NextNumber.Value < 1024)
                used.Add(space.TakeNumber().Value);
            ulong end = space.NextNumber.Value;
            for (ulong number = 0; number < end; number++)
            {
                TransportError? error = space.CheckAcknowledged([Range(number, number)]);
                Assert.True(used.Contains(number) == (error is null), $"seed {seed}, number {number}");
            }

            Assert.NotNull(space.CheckAcknowledged([Range(0, end - 1)]));
        }
    }

    [Fact]
    public void A_gap_before_a_packet_makes_its_acknowledgement_due_at_once()
    {
        PacketNumberSpace space = new(EncryptionLevel.Application, new SeededRandomSource(1));
        space.OnPacketReceived(Start, new(0), length: 1100, isAckEliciting: true, EcnCodepoint.NotEct);
        Assert.False(space.Acks.IsAckDue(Start));
        space.Acks.OnAckSent();

        space.OnPacketReceived(Start, new(2), length: 1100, isAckEliciting: true, EcnCodepoint.NotEct);
        Assert.True(space.Acks.IsAckDue(Start));
    }

    [Fact]
    public void A_packet_older_than_one_seen_makes_its_acknowledgement_due_at_once()
    {
        PacketNumberSpace space = new(EncryptionLevel.Application, new SeededRandomSource(1));
        space.OnPacketReceived(Start, new(5), length: 1100, isAckEliciting: true, EcnCodepoint.NotEct);
        space.Acks.OnAckSent();
        space.OnPacketReceived(Start, new(4), length: 1100, isAckEliciting: true, EcnCodepoint.NotEct);
        Assert.True(space.Acks.IsAckDue(Start));
    }

    [Fact]
    public void A_gap_that_was_reported_does_not_hasten_later_acknowledgements()
    {
        PacketNumberSpace space = new(EncryptionLevel.Application, new SeededRandomSource(1));
        foreach (ulong number in new ulong[] { 0, 2 })
            space.OnPacketReceived(Start, new(number), length: 1100, isAckEliciting: true, EcnCodepoint.NotEct);
        space.Acks.OnAckSent();
        space.OnPacketReceived(Start, new(3), length: 1100, isAckEliciting: true, EcnCodepoint.NotEct);
        Assert.False(space.Acks.IsAckDue(Start));
    }

    [Fact]
    public void Numbers_between_that_came_in_packets_without_ack_eliciting_frames_are_no_gap_even_after_pruning()
    {
        PacketNumberSpace space = new(EncryptionLevel.Application, new SeededRandomSource(1));
        space.OnPacketReceived(Start, new(0), length: 1100, isAckEliciting: true, EcnCodepoint.NotEct);
        space.Acks.OnAckSent();
        foreach (ulong number in new ulong[] { 1, 2, 3 })
            space.OnPacketReceived(Start, new(number), length: 1100, isAckEliciting: false, EcnCodepoint.NotEct);
        space.OnAckAcknowledged(new(3));
        space.OnPacketReceived(Start, new(4), length: 1100, isAckEliciting: true, EcnCodepoint.NotEct);
        Assert.False(space.Acks.IsAckDue(Start));
    }

    [Fact]
    public void Rfc9000_13_2_4_ranges_that_the_peer_knows_of_are_forgotten()
    {
        PacketNumberSpace space = new(EncryptionLevel.Application, new SeededRandomSource(1));
        foreach (ulong number in new ulong[] { 0, 1, 4, 5 })
            space.OnPacketReceived(Start, new(number), length: 1100, isAckEliciting: true, EcnCodepoint.NotEct);
        space.Acks.OnAckSent();
        space.OnPacketReceived(Start, new(6), length: 1100, isAckEliciting: true, EcnCodepoint.NotEct);
        space.OnAckAcknowledged(new(5));
        Assert.Equal([Range(6, 6)], space.Received.Ranges.ToArray());
    }

    [Fact]
    public void What_arrived_late_is_still_reported_when_an_ack_of_later_packets_is_acknowledged()
    {
        PacketNumberSpace space = new(EncryptionLevel.Application, new SeededRandomSource(1));
        space.OnPacketReceived(Start, new(10), length: 1100, isAckEliciting: true, EcnCodepoint.NotEct);
        space.Acks.OnAckSent();
        space.OnPacketReceived(Start, new(9), length: 1100, isAckEliciting: true, EcnCodepoint.NotEct);
        space.OnAckAcknowledged(new(10));
        Assert.True(space.Acks.IsAckDue(Start));
        Assert.Equal([Range(9, 10)], space.Received.Ranges.ToArray());
        space.Acks.OnAckSent();
        space.OnAckAcknowledged(new(10));
        Assert.True(space.Received.Ranges.IsEmpty);
    }

    [Fact]
    public void A_duplicate_changes_nothing()
    {
        PacketNumberSpace space = new(EncryptionLevel.Application, new SeededRandomSource(1));
        Assert.True(space.OnPacketReceived(Start, new(0), length: 1100, isAckEliciting: true, EcnCodepoint.Ect0));
        space.Acks.OnAckSent();
        Assert.False(space.OnPacketReceived(Start, new(0), length: 1100, isAckEliciting: true, EcnCodepoint.Ect0));
        Assert.False(space.Acks.ShouldBundle);
        Assert.Equal(new EcnCounts(1, 0, 0), space.Received.EcnCounts);
    }

    private static PacketNumberRange Range(ulong first, ulong last) => new(new(first), new(last));
}
