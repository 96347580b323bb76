using Iroh.Cryptography;
using Iroh.Quic.Protocol.Crypto;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Tests.Codec;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Tests.Crypto;

public class KeyUpdateTests
{
    private static Instant At(double milliseconds) => new((long)(milliseconds * 1_000_000));

    [Fact]
    public void No_update_begins_before_the_handshake_is_confirmed()
    {
        using var keys = new KeyUpdate(CipherSuite.Aes128GcmSha256, new byte[32], new byte[32]);
        Assert.False(keys.TryInitiate(At(0)));
        Assert.False(keys.KeyPhase);
        keys.OnHandshakeConfirmed();
        Assert.True(keys.TryInitiate(At(0)));
        Assert.True(keys.KeyPhase);
        Assert.Equal(1UL, keys.Generation);
    }

    [Theory]
    [InlineData(CipherSuite.Aes128GcmSha256)]
    [InlineData(CipherSuite.Aes256GcmSha384)]
    [InlineData(CipherSuite.ChaCha20Poly1305Sha256)]
    public void The_peer_follows_an_update_and_both_go_on_updating(CipherSuite suite)
    {
        (KeyUpdateEnd a, KeyUpdateEnd b) = KeyUpdateEnd.Pair(suite);
        Assert.True(b.Receive(a.Send()).IsOpened);
        Instant now = At(0);
        for (ulong generation = 1; generation <= 6; generation++)
        {
            (KeyUpdateEnd first, KeyUpdateEnd second) = generation % 2 == 0 ? (a, b) : (b, a);
            Assert.True(first.Keys.TryInitiate(now), $"{generation}");
            Assert.True(second.Receive(first.Send(), now).IsOpened);
            Assert.Equal(generation, second.Keys.Generation);
            PacketOpening answer = first.Receive(second.Send(ackPath: 0), now);
            Assert.True(answer.IsOpened);
            Assert.Null(answer.Error);
            Assert.Equal(generation, answer.Generation);
            Assert.Null(second.Receive(first.Send(ackPath: 0), now).Error);
            now += KeyUpdateEnd.Retention;
        }
    }

    [Fact]
    public void A_second_update_waits_for_an_acknowledgement_and_three_PTOs()
    {
        (KeyUpdateEnd a, KeyUpdateEnd b) = KeyUpdateEnd.Pair();
        SealedPacket old = a.Send();
        Assert.True(a.Keys.TryInitiate(At(0)));
        SealedPacket first = a.Send();
        Assert.False(a.Keys.TryInitiate(At(10_000)));

        // An acknowledgement of the previous phase does not count.
        b.Receive(old, At(0));
        a.Receive(b.Send(ackPath: 0), At(0));
        Assert.False(a.Keys.TryInitiate(At(10_000)));

        b.Receive(first, At(10_000));
        a.Receive(b.Send(ackPath: 0), At(10_000));
        Assert.False(a.Keys.TryInitiate(At(10_599)));
        Assert.True(a.Keys.TryInitiate(At(10_600)));
    }

    [Fact]
    public void After_following_an_update_the_next_one_waits_for_an_acknowledgement_too()
    {
        (KeyUpdateEnd a, KeyUpdateEnd b) = KeyUpdateEnd.Pair();
        a.Keys.TryInitiate(At(0));
        b.Receive(a.Send(), At(0));
        Assert.False(b.Keys.TryInitiate(At(10_000)));
        a.Receive(b.Send(), At(10_000));
        b.Receive(a.Send(ackPath: 0), At(10_000));
        Assert.False(b.Keys.TryInitiate(At(10_001)));
        Assert.True(b.Keys.TryInitiate(At(10_600)));
    }

    [Fact]
    public void Packets_of_the_previous_phase_open_for_three_PTOs_after_the_peers_update()
    {
        (KeyUpdateEnd a, KeyUpdateEnd b) = KeyUpdateEnd.Pair();
        SealedPacket[] late = [a.Send(), a.Send(), a.Send()];
        a.Keys.TryInitiate(At(0));
        b.Receive(a.Send(), At(100));
        Assert.Equal(At(700), b.Keys.NextTimeout);

        PacketOpening opening = b.Receive(late[1], At(400));
        Assert.True(opening.IsOpened);
        Assert.Equal(0UL, opening.Generation);
        Assert.True(b.Receive(late[0], At(699)).IsOpened);
        PacketOpening tooLate = b.Receive(late[2], At(700));
        Assert.False(tooLate.IsOpened);
        Assert.Null(tooLate.Error);
        Assert.Equal(Instant.Never, b.Keys.NextTimeout);
    }

    [Fact]
    public void After_our_own_update_the_previous_keys_stay_until_the_peer_has_followed()
    {
        (KeyUpdateEnd a, KeyUpdateEnd b) = KeyUpdateEnd.Pair();
        a.Keys.TryInitiate(At(0));
        Assert.Equal(Instant.Never, a.Keys.NextTimeout);
        SealedPacket late = b.Send();
        Assert.True(a.Receive(b.Send(), At(100_000)).IsOpened);

        b.Receive(a.Send(), At(100_000));
        Assert.True(a.Receive(b.Send(), At(100_100)).IsOpened);
        Assert.Equal(At(100_700), a.Keys.NextTimeout);
        a.Keys.HandleTimeout(At(100_700));
        Assert.False(a.Receive(late, At(100_700)).IsOpened);
        Assert.True(a.Receive(b.Send(), At(100_700)).IsOpened);
    }

    [Fact]
    public void An_update_that_arrives_out_of_order_is_followed()
    {
        (KeyUpdateEnd a, KeyUpdateEnd b) = KeyUpdateEnd.Pair();
        SealedPacket[] old = [a.Send(), a.Send(), a.Send()];
        a.Keys.TryInitiate(At(0));
        SealedPacket[] updated = [a.Send(), a.Send(), a.Send()];
        foreach (SealedPacket packet in new[] { updated[2], old[2], updated[0], old[0], updated[1], old[1], updated[1], old[1] })
        {
            PacketOpening opening = b.Receive(packet, At(1));
            Assert.True(opening.IsOpened);
            Assert.Null(opening.Error);
        }

        Assert.Equal(1UL, b.Keys.Generation);
    }

    [Fact]
    public void Both_ends_may_update_at_the_same_time()
    {
        (KeyUpdateEnd a, KeyUpdateEnd b) = KeyUpdateEnd.Pair();
        Assert.True(a.Keys.TryInitiate(At(0)));
        Assert.True(b.Keys.TryInitiate(At(0)));
        SealedPacket fromA = a.Send();
        SealedPacket fromB = b.Send();
        Assert.True(b.Receive(fromA).IsOpened);
        Assert.True(a.Receive(fromB).IsOpened);
        Assert.Equal(1UL, a.Keys.Generation);
        Assert.Equal(1UL, b.Keys.Generation);
    }

    // RFC 9001 §6.2: "An endpoint MAY treat such consecutive key updates as a connection error".
    [Fact]
    public void A_second_update_without_waiting_for_an_acknowledgement_is_an_error()
    {
        (KeyUpdateEnd a, KeyUpdateEnd b) = KeyUpdateEnd.Pair();
        a.Keys.TryInitiate(At(0));
        Assert.True(b.Receive(a.Send()).IsOpened);
        a.BelieveAcknowledged();
        Assert.True(a.Keys.TryInitiate(At(0)));
        Assert.Equal(TransportErrorCode.KeyUpdateError, b.Receive(a.Send()).Error?.Code);
    }

    [Fact]
    public void A_second_update_after_our_acknowledgement_is_followed_even_before_three_PTOs()
    {
        (KeyUpdateEnd a, KeyUpdateEnd b) = KeyUpdateEnd.Pair();
        a.Keys.TryInitiate(At(0));
        b.Receive(a.Send());
        b.Send(ackPath: 0);
        a.BelieveAcknowledged();
        Assert.True(a.Keys.TryInitiate(At(0)));
        Assert.True(b.Receive(a.Send()).IsOpened);
        Assert.Equal(2UL, b.Keys.Generation);
    }

    // RFC 9001 §6.4: "MUST treat this as a connection error of type KEY_UPDATE_ERROR".
    [Fact]
    public void Old_keys_on_a_number_above_one_with_newer_keys_are_an_error()
    {
        (KeyUpdateEnd a, KeyUpdateEnd b) = KeyUpdateEnd.Pair(seed: 5);
        (KeyUpdateEnd frozen, KeyUpdateEnd _) = KeyUpdateEnd.Pair(seed: 5); // The same keys, never updated.
        a.Keys.TryInitiate(At(0));
        a.SkipTo(10);
        Assert.True(b.Receive(a.Send()).IsOpened);
        a.SkipTo(12);
        Assert.True(b.Receive(a.Send()).IsOpened);

        frozen.SkipTo(9);
        Assert.True(b.Receive(frozen.Send()).IsOpened);
        frozen.SkipTo(11);
        PacketOpening opening = b.Receive(frozen.Send());
        Assert.False(opening.IsOpened);
        Assert.Equal(TransportErrorCode.KeyUpdateError, opening.Error?.Code);
    }

    // RFC 9001 §6.4, the same rule seen from the other packet.
    [Fact]
    public void Newer_keys_on_a_number_below_one_with_old_keys_are_an_error()
    {
        (KeyUpdateEnd a, KeyUpdateEnd b) = KeyUpdateEnd.Pair();
        a.SkipTo(10);
        b.Receive(a.Send());
        a.Keys.TryInitiate(At(0));
        a.SkipTo(9);
        Assert.Equal(TransportErrorCode.KeyUpdateError, b.Receive(a.Send()).Error?.Code);
    }

    // RFC 9001 §6.2: "MAY treat that as a connection error of type KEY_UPDATE_ERROR".
    [Fact]
    public void An_acknowledgement_of_newer_keys_in_a_packet_with_old_keys_is_an_error()
    {
        (KeyUpdateEnd a, KeyUpdateEnd b) = KeyUpdateEnd.Pair();
        a.Keys.TryInitiate(At(0));
        SealedPacket updated = a.Send();
        SealedPacket lie = b.Send() with { AckPath = PathId.Zero, Acknowledged = updated.Number };
        Assert.Equal(TransportErrorCode.KeyUpdateError, a.Receive(lie).Error?.Code);
    }

    [Fact]
    public void A_forged_key_phase_changes_nothing()
    {
        (KeyUpdateEnd a, KeyUpdateEnd b) = KeyUpdateEnd.Pair();
        var random = new SeededRandomSource(1);
        b.Receive(a.Send());
        for (int i = 0; i < 1_000; i++)
        {
            SealedPacket packet = a.Send();
            packet.Bytes[0] ^= 0x04; // The mask lies over it, so the bit itself is what changes.
            PacketOpening opening = b.Receive(packet);
            Assert.False(opening.IsOpened);
            Assert.Null(opening.Error);
        }

        Assert.Equal(0UL, b.Keys.Generation);
        Assert.True(b.Receive(a.Send()).IsOpened);
    }

    [Fact]
    public void On_a_path_that_is_silent_in_the_new_phase_late_packets_still_open()
    {
        (KeyUpdateEnd a, KeyUpdateEnd b) = KeyUpdateEnd.Pair();
        a.SkipTo(1000, path: 1); // Numbers far above those of path 0 say nothing about it.
        SealedPacket late = a.Send(path: 1);
        SealedPacket later = a.Send(path: 1);
        a.Keys.TryInitiate(At(0));
        Assert.True(b.Receive(a.Send(path: 0), At(0)).IsOpened);
        Assert.Equal(0UL, b.Receive(late, At(10)).Generation);
        Assert.Equal(1UL, b.Receive(a.Send(path: 1), At(20)).Generation);
        PacketOpening opening = b.Receive(later, At(30));
        Assert.True(opening.IsOpened);
        Assert.Equal(0UL, opening.Generation);
    }

    [Fact]
    public void An_update_may_begin_on_a_path_that_was_silent_in_the_phase_before()
    {
        (KeyUpdateEnd a, KeyUpdateEnd b) = KeyUpdateEnd.Pair();
        a.Keys.TryInitiate(At(0));
        b.Receive(a.Send(path: 0), At(0));
        a.Receive(b.Send(path: 0, ackPath: 0), At(0));
        Assert.True(a.Keys.TryInitiate(At(600)));
        Assert.True(b.Receive(a.Send(path: 2), At(600)).IsOpened);
        Assert.Equal(2UL, b.Keys.Generation);
    }

    [Fact]
    public void Keys_are_updated_at_half_of_their_life_and_the_connection_ends_when_that_is_not_possible()
    {
        ulong limit = 3 * AeadLimits.ClosingReserve;
        var limits = new AeadLimits(limit, 1000);
        using var keys = new KeyUpdate(CipherSuite.Aes128GcmSha256, new byte[32], new byte[32], limits);
        var end = new KeyUpdateEnd(keys);
        for (ulong i = 0; i < limit / 2; i++)
        {
            Assert.Null(keys.PrepareToSend(At(0)));
            end.Send();
        }

        Assert.Equal(0UL, keys.Generation);
        keys.OnHandshakeConfirmed();
        Assert.Null(keys.PrepareToSend(At(0)));
        Assert.Equal(1UL, keys.Generation);

        // Nobody acknowledges, so the next update is not allowed and the keys are used up.
        for (ulong i = 0; i < limit - AeadLimits.ClosingReserve; i++)
        {
            Assert.Null(keys.PrepareToSend(At(0)));
            end.Send();
        }

        Assert.Equal(TransportErrorCode.AeadLimitReached, keys.PrepareToSend(At(0))?.Code);
        Assert.Equal(1UL, keys.Generation);
    }

    [Fact]
    public void Too_many_forgeries_end_the_connection()
    {
        var limits = new AeadLimits(ulong.MaxValue, 10);
        using var keys = new KeyUpdate(CipherSuite.Aes128GcmSha256, new byte[32], new byte[32], limits);
        (KeyUpdateEnd stranger, KeyUpdateEnd _) = KeyUpdateEnd.Pair();
        KeyPhaseWindow window = default;
        for (int i = 1; i <= 10; i++)
        {
            PacketOpening opening = keys.Open(
                stranger.Send().Bytes, 5, i % 2 == 0, PathId.Zero, new PacketNumber((ulong)i), ref window, At(0), TimeSpan.Zero);
            Assert.False(opening.IsOpened);
            Assert.Equal(i == 10 ? TransportErrorCode.AeadLimitReached : null, opening.Error?.Code);
        }
    }

    // RFC 9001 §6.6.
    [Theory]
    [InlineData(AeadAlgorithm.Aes128Gcm, 1UL << 23, 1UL << 52)]
    [InlineData(AeadAlgorithm.Aes256Gcm, 1UL << 23, 1UL << 52)]
    [InlineData(AeadAlgorithm.ChaCha20Poly1305, ulong.MaxValue, 1UL << 36)]
    public void The_limits_are_those_of_RFC_9001(AeadAlgorithm algorithm, ulong confidentiality, ulong integrity)
    {
        Assert.Equal(confidentiality, AeadLimits.ConfidentialityLimit(algorithm));
        Assert.Equal(integrity, AeadLimits.IntegrityLimit(algorithm));
    }

    // Loss, duplication, reordering below the retention time, three paths, updates by both ends whenever they are allowed: as
    // long as both keep the rules every packet that arrives opens and no one sees an error.
    [Theory]
    [InlineData(1), InlineData(2), InlineData(3), InlineData(4), InlineData(5), InlineData(6), InlineData(7), InlineData(8)]
    public void In_any_lawful_history_every_packet_opens(ulong seed)
    {
        var random = new SeededRandomSource(seed);
        (KeyUpdateEnd a, KeyUpdateEnd b) = KeyUpdateEnd.Pair(seed: seed);
        var flying = new List<(Instant Arrival, KeyUpdateEnd To, SealedPacket Packet)>();
        ulong opened = 0;
        for (int millisecond = 0; millisecond < 20_000; millisecond++)
        {
            Instant now = At(millisecond);
            string round = $"seed {seed}, {millisecond} ms";
            (KeyUpdateEnd from, KeyUpdateEnd to) = random.Coin() ? (a, b) : (b, a);
            if (random.NextBelow(20) == 0)
                from.Keys.TryInitiate(now);
            uint path = (uint)random.NextBelow(3);
            SealedPacket packet = from.Send(path, random.NextBelow(4) == 0 ? (uint)random.NextBelow(3) : null);
            for (ulong copies = random.NextBelow(3); copies > 0; copies--)
                flying.Add((At(millisecond + 1 + (double)random.NextBelow(150)), to, packet));

            for (int i = flying.Count - 1; i >= 0; i--)
            {
                if (flying[i].Arrival > now)
                    continue;
                PacketOpening opening = flying[i].To.Receive(flying[i].Packet, now);
                Assert.True(opening.IsOpened && opening.Error is null, $"{round}: {opening}");
                flying.RemoveAt(i);
                opened++;
            }
        }

        Assert.True(opened > 10_000 && a.Keys.Generation > 10, $"seed {seed}: {opened} packets, generation {a.Keys.Generation}");
        Assert.True(Math.Max(a.Keys.Generation, b.Keys.Generation) - Math.Min(a.Keys.Generation, b.Keys.Generation) <= 1);
    }
}
