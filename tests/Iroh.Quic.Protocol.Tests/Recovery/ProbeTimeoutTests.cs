using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Recovery;
using Iroh.Quic.Protocol.Spaces;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Tests.Recovery;

public class ProbeTimeoutTests
{
    [Fact]
    public void Rfc9002_6_2_1_the_first_timeout_of_a_connection_is_999_ms_after_the_last_ack_eliciting_packet()
    {
        RecoveryFixture f = new(confirmed: false);
        f.Send(EncryptionLevel.Initial);
        f.Wait(100);
        f.Send(EncryptionLevel.Initial);
        Assert.Equal(f.Now + TimeSpan.FromMilliseconds(999), Deadline(f));
        f.Wait(5);
        f.Send(EncryptionLevel.Initial, SentPacketFlags.None);
        Assert.Equal(f.Now + TimeSpan.FromMilliseconds(994), Deadline(f));
    }

    [Fact]
    public void Rfc9002_6_2_1_application_data_waits_max_ack_delay_longer()
    {
        RecoveryFixture f = new();
        f.Send();
        Assert.Equal(f.Now + TimeSpan.FromMilliseconds(1024), Deadline(f));
        Assert.Equal(TimeSpan.FromMilliseconds(1024), f.Detector.ProbeTimeoutPeriod(f.Path));
    }

    [Fact]
    public void Rfc9002_6_2_1_no_timeout_for_application_data_before_the_handshake_is_confirmed()
    {
        RecoveryFixture f = new(Side.Server, confirmed: false);
        f.Send();
        Assert.Equal(Instant.Never, Deadline(f));
        f.Detector.OnHandshakeConfirmed();
        Assert.Equal(f.Now + TimeSpan.FromMilliseconds(1024), Deadline(f));
    }

    [Fact]
    public void Rfc9002_6_2_1_the_wait_doubles_with_each_expiry_up_to_the_cap()
    {
        RecoveryFixture f = new(confirmed: false);
        f.Send(EncryptionLevel.Handshake);
        double[] waits = [999, 1998, 2000, 2000];
        foreach (double wait in waits)
        {
            Assert.Equal(f.Now + TimeSpan.FromMilliseconds(wait), Deadline(f));
            f.Wait(wait);
            Assert.Equal(EncryptionLevel.Handshake, f.Expire());
            f.Send(EncryptionLevel.Handshake);
        }
    }

    [Fact]
    public void The_cap_is_never_below_one_and_a_half_round_trips()
    {
        RttEstimator rtt = new(TimeSpan.FromSeconds(4));
        ProbeTimeout timeout = new();
        Assert.Equal(TimeSpan.FromSeconds(6), timeout.Interval(rtt, TimeSpan.Zero));
    }

    [Fact]
    public void However_often_it_expires_the_interval_stays_a_number()
    {
        RttEstimator rtt = new();
        ProbeTimeout timeout = new();
        for (int i = 0; i < 200; i++)
            timeout.OnExpired();
        Assert.Equal(ProbeTimeout.DefaultIntervalMax, timeout.Interval(rtt, TimeSpan.Zero));
    }

    [Fact]
    public void Rfc9002_6_2_1_an_acknowledgement_resets_the_backoff()
    {
        RecoveryFixture f = new();
        f.Send();
        f.Wait(1024);
        f.Expire();
        Assert.Equal(1, f.Detector.ProbeTimeout.Count);
        PacketNumber probe = f.Send();
        f.Wait(100);
        f.Ack(probe);
        Assert.Equal(0, f.Detector.ProbeTimeout.Count);
    }

    [Fact]
    public void Rfc9002_6_2_1_a_client_keeps_the_backoff_on_initial_acks_until_the_server_has_acknowledged_a_handshake_packet()
    {
        RecoveryFixture f = new(confirmed: false);
        f.Send(EncryptionLevel.Initial);
        f.Wait(999);
        f.Expire();
        PacketNumber initial = f.Send(EncryptionLevel.Initial);
        f.Wait(50);
        f.Ack(EncryptionLevel.Initial, initial);
        Assert.Equal(1, f.Detector.ProbeTimeout.Count);
        PacketNumber handshake = f.Send(EncryptionLevel.Handshake);
        f.Wait(50);
        f.Ack(EncryptionLevel.Handshake, handshake);
        Assert.Equal(0, f.Detector.ProbeTimeout.Count);
    }

    [Fact]
    public void Rfc9002_6_2_an_expiry_declares_nothing_lost()
    {
        RecoveryFixture f = new();
        f.SendMany(3);
        long inFlight = f.Path.Congestion.BytesInFlight;
        f.Wait(1024);
        Assert.Equal(EncryptionLevel.Application, f.Expire());
        Assert.Empty(f.Lost());
        Assert.Equal(inFlight, f.Path.Congestion.BytesInFlight);
        Assert.Equal(0, f.Path.Congestion.CongestionEvents);
    }

    [Fact]
    public void Rfc9002_6_2_4_an_expiry_asks_for_two_probes_and_ack_eliciting_packets_answer_it()
    {
        RecoveryFixture f = new();
        f.Send();
        f.Wait(1024);
        f.Expire();
        Assert.Equal(2, f.Application.ProbesPending);
        f.Send(flags: SentPacketFlags.None);
        Assert.Equal(2, f.Application.ProbesPending);
        f.Send();
        f.Send();
        Assert.Equal(0, f.Application.ProbesPending);
    }

    [Fact]
    public void Rfc9002_6_2_1_the_space_whose_timeout_is_earliest_is_probed_and_the_others_with_it()
    {
        RecoveryFixture f = new(confirmed: false);
        f.Send(EncryptionLevel.Initial);
        f.Wait(10);
        f.Send(EncryptionLevel.Handshake);
        f.Wait(989);
        Assert.Equal(EncryptionLevel.Initial, f.Expire());
        Assert.Equal((2, 1), (f.Initial.ProbesPending, f.Handshake.ProbesPending));
    }

    [Fact]
    public void Called_too_early_nothing_happens()
    {
        RecoveryFixture f = new();
        f.Send();
        f.Wait(1000);
        Assert.Null(f.Expire());
        Assert.Equal(0, f.Detector.ProbeTimeout.Count);
    }

    [Fact]
    public void Rfc9002_6_2_2_1_a_client_with_nothing_in_flight_probes_until_the_server_has_seen_its_address()
    {
        RecoveryFixture f = new(confirmed: false);
        PacketNumber hello = f.Send(EncryptionLevel.Initial);
        f.Wait(100);
        f.Ack(EncryptionLevel.Initial, hello);

        // 100 + 4 x 50, from the ACK.
        Assert.Equal(f.Now + TimeSpan.FromMilliseconds(300), Deadline(f));
        f.Wait(300);
        Assert.Equal(EncryptionLevel.Initial, f.Expire());
        f.Detector.OnHandshakeKeysInstalled();
        f.Wait(600);
        Assert.Equal(EncryptionLevel.Handshake, f.Expire());
        Assert.Equal(2, f.Handshake.ProbesPending);

        PacketNumber probe = f.Send(EncryptionLevel.Handshake);
        f.Wait(50);
        f.Ack(EncryptionLevel.Handshake, probe);
        Assert.Equal(Instant.Never, Deadline(f));
    }

    [Fact]
    public void A_client_that_has_sent_nothing_yet_has_no_timer()
    {
        Assert.Equal(Instant.Never, Deadline(new RecoveryFixture(confirmed: false)));
    }

    [Fact]
    public void A_server_with_nothing_in_flight_has_no_timer()
    {
        RecoveryFixture f = new(Side.Server, confirmed: false);
        PacketNumber hello = f.Send(EncryptionLevel.Initial);
        f.Wait(100);
        f.Ack(EncryptionLevel.Initial, hello);
        Assert.Equal(Instant.Never, Deadline(f));
    }

    [Fact]
    public void Rfc9002_6_2_2_1_a_server_at_its_amplification_limit_has_no_timer_until_more_arrives()
    {
        RecoveryFixture f = new(Side.Server, confirmed: false, validated: false);
        f.Path.Amplification.OnDatagramReceived(1200);
        for (int i = 0; i < 3; i++)
        {
            f.Send(EncryptionLevel.Initial);
            f.Path.Amplification.OnDatagramSent(1200);
        }

        Assert.Equal(Instant.Never, Deadline(f));
        Instant expected = f.Now + TimeSpan.FromMilliseconds(999);
        f.Wait(5000);
        f.Path.Amplification.OnDatagramReceived(1200);
        Assert.Equal(expected, Deadline(f));
        Assert.Equal(EncryptionLevel.Initial, f.Expire());
    }

    private static Instant Deadline(RecoveryFixture f) => f.Detector.Deadline(f.Path);
}
