using Iroh.Quic.Protocol.Paths;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Recovery;
using Iroh.Quic.Protocol.Spaces;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Tests.Recovery;

public class LossDetectorTests
{
    private const int Size = RecoveryFixture.PacketSize;

    [Fact]
    public void Acknowledged_frames_are_reported_in_the_order_they_were_sent()
    {
        RecoveryFixture f = new();
        PacketNumber[] p = f.SendMany(5);
        f.Wait(50);
        f.Ack(p[4], p[3], p[1], p[0]);
        Assert.Equal([p[0].Value, p[1].Value, p[3].Value, p[4].Value], f.Acknowledged());
        Assert.Equal(4, f.Outcome.PacketsAcknowledged);
        Assert.Equal(1 * Size, f.Path.Congestion.BytesInFlight);
    }

    [Fact]
    public void Rfc9002_5_1_a_sample_is_taken_only_when_the_largest_acknowledged_is_new()
    {
        RecoveryFixture f = new();
        PacketNumber[] p = f.SendMany(2);
        f.Wait(100);
        f.Ack(p[1]);
        Assert.True(f.Outcome.IsRttUpdated);
        f.Wait(300);
        f.Ack(p[0], p[1]);
        Assert.False(f.Outcome.IsRttUpdated);
        Assert.Equal(TimeSpan.FromMilliseconds(100), f.Path.Rtt.Latest);
    }

    [Fact]
    public void Rfc9002_5_1_no_sample_from_packets_that_are_not_ack_eliciting()
    {
        RecoveryFixture f = new();
        PacketNumber only = f.Send(flags: SentPacketFlags.None);
        f.Wait(100);
        f.Ack(only);
        Assert.False(f.Outcome.IsRttUpdated);
        Assert.Equal([only.Value], f.Acknowledged());
    }

    [Fact]
    public void Rfc9002_5_3_the_delay_is_capped_by_max_ack_delay_only_once_the_handshake_is_confirmed()
    {
        foreach ((bool confirmed, double expected) in new[] { (false, 101.25), (true, 106.25) })
        {
            RecoveryFixture f = new(confirmed: confirmed);
            f.Send();
            f.Wait(100);
            f.Ack(new PacketNumber(f.Application.NextNumber.Value - 1));
            PacketNumber second = f.Send();
            f.Wait(175);

            // 65 ms of delay: 175 - 65 = 110 before, 175 - 25 = 150 after; an eighth of the difference to 100 counts.
            Assert.Null(f.TryAck(EncryptionLevel.Application, null, 65, second));
            Assert.Equal(expected, f.Path.Rtt.Smoothed.TotalMilliseconds, 3);
        }
    }

    [Fact]
    public void Rfc9002_5_3_the_delay_of_initial_packets_is_ignored()
    {
        RecoveryFixture f = new(confirmed: false);
        PacketNumber first = f.Send(EncryptionLevel.Initial);
        f.Wait(100);
        f.Ack(EncryptionLevel.Initial, first);
        PacketNumber second = f.Send(EncryptionLevel.Initial);
        f.Wait(180);
        Assert.Null(f.TryAck(EncryptionLevel.Initial, null, 50, second));
        Assert.Equal(110, f.Path.Rtt.Smoothed.TotalMilliseconds, 3);
    }

    [Fact]
    public void Rfc9002_6_1_1_a_packet_is_lost_when_the_third_after_it_is_acknowledged()
    {
        RecoveryFixture f = new();
        PacketNumber[] p = f.SendMany(4);
        ulong gap = p[3].Value - p[0].Value;
        Assert.Equal(3UL, gap);
        f.Wait(1);
        f.Ack(p[2]);
        Assert.Empty(f.Lost());
        f.Ack(p[3]);
        Assert.Equal([p[0].Value], f.Lost());
        Assert.Equal(1 * Size, f.Path.Congestion.BytesInFlight);
    }

    [Fact]
    public void Rfc9002_6_1_2_a_packet_is_lost_nine_eighths_of_a_round_trip_after_it_was_sent()
    {
        RecoveryFixture f = new();
        PacketNumber[] p = f.SendMany(2);
        f.Wait(80);
        f.Ack(p[1]);
        Assert.Empty(f.Lost());
        Assert.Equal(f.Now + TimeSpan.FromMilliseconds(10), f.Detector.Deadline(f.Path));

        f.Wait(9.9);
        Assert.Null(f.Expire());
        Assert.Empty(f.Lost());
        f.Wait(0.1);
        Assert.Null(f.Expire());
        Assert.Equal([p[0].Value], f.Lost());
        Assert.Equal(0, f.Detector.ProbeTimeout.Count);
    }

    [Fact]
    public void Rfc9002_6_1_2_the_time_threshold_is_at_least_a_millisecond()
    {
        RecoveryFixture f = new();
        PacketNumber[] p = f.SendMany(2);
        f.Wait(0.05);
        f.Ack(p[1]);
        Assert.Equal(f.Now + TimeSpan.FromMilliseconds(0.95), f.Detector.Deadline(f.Path));
    }

    [Fact]
    public void A_late_acknowledgement_of_a_packet_declared_lost_is_not_an_error_and_changes_nothing()
    {
        RecoveryFixture f = new();
        PacketNumber[] p = f.SendMany(4);
        f.Wait(1);
        f.Ack(p[1], p[2], p[3]);
        Assert.Equal([p[0].Value], f.Lost());
        long window = f.Path.Congestion.Window;
        f.Ack(p);
        Assert.Equal(0, f.Outcome.PacketsAcknowledged);
        Assert.Equal(0, f.Path.Congestion.BytesInFlight);
        Assert.Equal(window, f.Path.Congestion.Window);
    }

    [Fact]
    public void An_acknowledgement_of_what_was_never_sent_is_an_error_and_changes_nothing()
    {
        RecoveryFixture f = new();
        PacketNumber p = f.Send();
        Assert.Equal(TransportErrorCode.ProtocolViolation, f.TryAck(EncryptionLevel.Application, null, 0, p, f.Application.NextNumber)!.Code);
        Assert.Equal(Size, f.Path.Congestion.BytesInFlight);
        Assert.Null(f.Application.LargestAcknowledged);
    }

    [Fact]
    public void Rfc9000_9_4_packets_of_another_4_tuple_do_not_touch_rtt_and_window_but_their_frames_are_reported()
    {
        RecoveryFixture f = new();
        PacketNumber[] old = f.SendMany(5);
        PathRecovery before = f.Path;
        f.Path = RecoveryFixture.NewPath(1);
        f.Wait(70);
        PacketNumber fresh = f.Send();
        long window = f.Path.Congestion.Window;
        f.Ack(old[3], old[4]);
        Assert.Equal([old[3].Value, old[4].Value], f.Acknowledged());
        Assert.Equal([old[0].Value, old[1].Value], f.Lost()[..2]);
        Assert.False(f.Outcome.IsRttUpdated);
        Assert.Equal(Size, f.Path.Congestion.BytesInFlight);
        Assert.Equal(window, f.Path.Congestion.Window);
        Assert.Equal(0, f.Path.Congestion.CongestionEvents);
        Assert.Equal(5 * Size, before.Congestion.BytesInFlight);

        f.Detector.Resume(before);
        Assert.Equal(f.Application.Sent.SumBytesInFlight(0), before.Congestion.BytesInFlight);
        Assert.True(fresh.Value > old[4].Value);
    }

    [Fact]
    public void Rfc9002_6_4_discarded_keys_take_packets_out_of_flight_without_congestion()
    {
        RecoveryFixture f = new(confirmed: false);
        f.SendMany(3, EncryptionLevel.Initial);
        f.Send(EncryptionLevel.Handshake);
        long window = f.Path.Congestion.Window;
        f.Wait(2000);
        f.Expire();
        Assert.Equal(1, f.Detector.ProbeTimeout.Count);
        f.Detector.OnKeysDiscarded(f.Now, EncryptionLevel.Initial, f.Path);
        Assert.Equal(Size, f.Path.Congestion.BytesInFlight);
        Assert.Equal(window, f.Path.Congestion.Window);
        Assert.Equal(0, f.Detector.ProbeTimeout.Count);
        Assert.Equal(0, f.Initial.Sent.Outstanding);
    }

    [Fact]
    public void Rfc9002_6_3_a_retry_gives_the_initial_frames_back_without_congestion()
    {
        RecoveryFixture f = new(confirmed: false);
        PacketNumber[] p = f.SendMany(2, EncryptionLevel.Initial);
        long window = f.Path.Congestion.Window;
        f.Detector.DeclareAllLost(EncryptionLevel.Initial, f.Path, f.Outcome);
        Assert.Equal([p[0].Value, p[1].Value], f.Lost());
        Assert.Equal(0, f.Path.Congestion.BytesInFlight);
        Assert.Equal(window, f.Path.Congestion.Window);
        Assert.Equal(2UL, f.Initial.NextNumber.Value);
    }

    [Fact]
    public void Rfc9002_7_6_persistent_congestion_collapses_the_window()
    {
        RecoveryFixture f = new();
        EstablishRtt(f, 100);

        // 3 x (100 + 4 x 37.5 + 25) ms = 825 ms: the RTT was sampled twice, so rttvar is 37.5.
        f.Send();
        f.Wait(830);
        f.Send();
        f.Wait(1);
        PacketNumber[] tail = f.SendMany(3);
        f.Wait(100);
        f.Ack(tail);
        Assert.True(f.Outcome.IsPersistentCongestion);
        Assert.Equal(2 * Size, f.Path.Congestion.Window);
        Assert.Equal(f.Path.Rtt.Latest, f.Path.Rtt.Min);
    }

    [Fact]
    public void Rfc9002_7_6_a_shorter_span_is_not_persistent_congestion()
    {
        RecoveryFixture f = new();
        EstablishRtt(f, 100);
        f.Send();
        f.Wait(650);
        f.Send();
        f.Wait(1);
        PacketNumber[] tail = f.SendMany(3);
        f.Wait(100);
        f.Ack(tail);
        Assert.Equal(2, f.Outcome.PacketsLost);
        Assert.False(f.Outcome.IsPersistentCongestion);
    }

    [Fact]
    public void Rfc9002_7_6_2_a_packet_that_arrived_in_between_rules_persistent_congestion_out()
    {
        RecoveryFixture f = new();
        EstablishRtt(f, 100);
        f.Send();
        f.Wait(500);
        PacketNumber between = f.Send();
        f.Wait(500);
        f.Send();
        f.Wait(1);
        PacketNumber[] tail = f.SendMany(3);
        f.Wait(100);
        f.Ack([between, .. tail]);
        Assert.Equal(2, f.Outcome.PacketsLost);
        Assert.False(f.Outcome.IsPersistentCongestion);
    }

    [Fact]
    public void Rfc9002_7_6_2_packets_sent_before_the_first_rtt_sample_do_not_count()
    {
        RecoveryFixture f = new();
        f.Send();
        f.Wait(10_000);
        f.Send();
        f.Wait(1);
        PacketNumber[] tail = f.SendMany(3);
        f.Wait(100);
        f.Ack(tail);
        Assert.Equal(2, f.Outcome.PacketsLost);
        Assert.False(f.Outcome.IsPersistentCongestion);
    }

    [Fact]
    public void Rfc9002_7_1_an_increase_of_ce_marks_is_a_congestion_event()
    {
        RecoveryFixture f = new();
        SentPacketFlags marked = SentPacketFlags.AckEliciting | SentPacketFlags.InFlight | SentPacketFlags.EctMarked;
        PacketNumber first = f.Send(flags: marked);
        f.Wait(50);
        Assert.Null(f.TryAck(EncryptionLevel.Application, new EcnCounts(1, 0, 0), 0, first));
        Assert.Equal(0, f.Path.Congestion.CongestionEvents);
        PacketNumber second = f.Send(flags: marked);
        f.Wait(50);
        Assert.Null(f.TryAck(EncryptionLevel.Application, new EcnCounts(1, 0, 1), 0, second));
        Assert.Equal(1, f.Path.Congestion.CongestionEvents);
        Assert.True(f.Path.Ecn.IsCapable);
    }

    [Fact]
    public void Rfc9000_13_4_2_1_an_ack_that_does_not_raise_the_largest_number_cannot_fail_ecn_validation()
    {
        RecoveryFixture f = new();
        SentPacketFlags marked = SentPacketFlags.AckEliciting | SentPacketFlags.InFlight | SentPacketFlags.EctMarked;
        PacketNumber first = f.Send(flags: marked);
        PacketNumber second = f.Send(flags: marked);
        f.Wait(50);
        Assert.Null(f.TryAck(EncryptionLevel.Application, new EcnCounts(1, 0, 0), 0, second));
        Assert.Null(f.TryAck(EncryptionLevel.Application, null, 0, first, second));
        Assert.False(f.Path.Ecn.HasFailed);
    }

    [Fact]
    public void Rfc9000_14_4_the_loss_of_an_mtu_probe_is_no_sign_of_congestion()
    {
        RecoveryFixture f = new();
        Assert.True(f.Path.Mtu.TryGetProbe(f.Now, out int probeSize));
        f.Send(flags: SentPacketFlags.AckEliciting | SentPacketFlags.InFlight | SentPacketFlags.MtuProbe, size: probeSize);
        PacketNumber[] p = f.SendMany(3);
        long window = f.Path.Congestion.Window;
        f.Wait(10);
        f.Ack(p);
        Assert.Equal(1, f.Outcome.PacketsLost);
        Assert.Equal(0, f.Path.Congestion.CongestionEvents);
        Assert.True(f.Path.Congestion.Window >= window);
        Assert.Equal(0, f.Path.Congestion.BytesInFlight);
    }

    [Fact]
    public void An_mtu_probe_that_arrives_raises_the_datagram_size()
    {
        RecoveryFixture f = new();
        Assert.True(f.Path.Mtu.TryGetProbe(f.Now, out int probeSize));
        PacketNumber probe = f.Send(flags: SentPacketFlags.AckEliciting | SentPacketFlags.InFlight | SentPacketFlags.MtuProbe, size: probeSize);
        f.Wait(10);
        f.Ack(probe);
        Assert.True(f.Outcome.IsMtuChanged);
        Assert.Equal(MtuDiscovery.DefaultUpperBound, f.Path.Mtu.Current);
    }

    private static void EstablishRtt(RecoveryFixture f, double milliseconds)
    {
        for (int i = 0; i < 2; i++)
        {
            PacketNumber p = f.Send();
            f.Wait(milliseconds);
            f.Ack(p);
        }
    }
}
