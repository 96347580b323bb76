using System.Net;
using Iroh.NetReport;
using Iroh.NetReport.Stun;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Tests.NetReport;

public class StunProberTests
{
    private static readonly IPEndPoint s_server = IPEndPoint.Parse("192.0.2.1:3478");
    private static readonly IPEndPoint s_other = IPEndPoint.Parse("192.0.2.2:3478");
    private static readonly IPEndPoint s_mapped = IPEndPoint.Parse("203.0.113.5:40000");
    private static readonly StunTransactionId s_id = new(1, 2);
    private static readonly Instant s_start = new(1_000_000_000);

    [Fact]
    public void An_unanswered_request_is_repeated_with_growing_pauses_and_given_up_after_three_seconds()
    {
        StunProber prober = Asking(s_server);
        var sent = new List<double>();
        Instant now = s_start;
        while (!prober.IsDone)
        {
            while (TrySend(prober, now, out IPEndPoint? to))
            {
                Assert.Equal(s_server, to);
                sent.Add((now - s_start).TotalMilliseconds);
            }

            if (!prober.IsDone)
                now = prober.NextTimeout;
        }

        Assert.Equal([0, 250, 750, 1750], sent);
        Assert.Equal(StunProber.Patience, now - s_start);
        Assert.Equal(Instant.Never, prober.NextTimeout);
    }

    [Fact]
    public void An_answer_ends_the_asking_and_tells_address_and_round_trip()
    {
        StunProber prober = Asking(s_server);
        Assert.True(TrySend(prober, s_start, out _));
        (IPEndPoint server, ObservedAddress observed) =
            Assert.NotNull(prober.HandleDatagram(s_start + TimeSpan.FromMilliseconds(12), s_server, Answer(s_id, s_mapped)));
        Assert.Equal((s_server, s_mapped, TimeSpan.FromMilliseconds(12)), (server, observed.Address, observed.RoundTrip));
        Assert.True(prober.IsDone);
        Assert.False(TrySend(prober, s_start + TimeSpan.FromSeconds(1), out _));
        // A second answer to the same request says nothing.
        Assert.Null(prober.HandleDatagram(s_start + TimeSpan.FromMilliseconds(13), s_server, Answer(s_id, s_mapped)));
    }

    [Fact]
    public void Answers_that_were_not_asked_for_are_ignored()
    {
        StunProber prober = Asking(s_server);
        Assert.Null(prober.HandleDatagram(s_start, s_server, Answer(s_id, s_mapped)));
        Assert.True(TrySend(prober, s_start, out _));
        Assert.Null(prober.HandleDatagram(s_start, s_other, Answer(s_id, s_mapped)));
        Assert.Null(prober.HandleDatagram(s_start, new IPEndPoint(s_server.Address, 1), Answer(s_id, s_mapped)));
        Assert.Null(prober.HandleDatagram(s_start, s_server, Answer(new StunTransactionId(1, 3), s_mapped)));
        Assert.Null(prober.HandleDatagram(s_start, s_server, Answer(s_id, IPEndPoint.Parse("[2001:db8::1]:1"))));
        Assert.Null(prober.HandleDatagram(s_start, s_server, []));
        Assert.False(prober.IsDone);
        Assert.NotNull(prober.HandleDatagram(s_start, s_server, Answer(s_id, s_mapped)));
    }

    [Fact]
    public void An_error_ends_the_asking_without_an_address()
    {
        StunProber prober = Asking(s_server);
        Assert.True(TrySend(prober, s_start, out _));
        byte[] error = Convert.FromHexString("011100082112a4420000000000000001000000020009000400000400");
        Assert.Null(prober.HandleDatagram(s_start, s_server, error));
        Assert.True(prober.IsDone);
    }

    [Fact]
    public void Several_servers_are_asked_at_once_and_each_once()
    {
        StunProber prober = Asking(s_server);
        Assert.True(prober.TryAdd(s_start, s_other, new StunTransactionId(3, 4)));
        Assert.True(prober.TryAdd(s_start, s_other, new StunTransactionId(5, 6)));
        Assert.True(TrySend(prober, s_start, out IPEndPoint? first));
        Assert.True(TrySend(prober, s_start, out IPEndPoint? second));
        Assert.False(TrySend(prober, s_start, out _));
        Assert.Equal([s_server, s_other], [first, second]);
        for (int i = 0; i < StunProber.TargetsMax; i++)
            prober.TryAdd(s_start, new IPEndPoint(s_server.Address, 100 + i), new StunTransactionId(7, (uint)i));
        Assert.False(prober.TryAdd(s_start, new IPEndPoint(s_server.Address, 1), new StunTransactionId(8, 8)));
    }

    [Fact]
    public void Random_histories_end_in_time_and_believe_only_the_truth()
    {
        for (int seed = 1; seed <= 500; seed++)
        {
            var random = new Random(seed);
            StunProber prober = Asking(s_server);
            prober.TryAdd(s_start, s_other, new StunTransactionId(3, 4));
            Instant now = s_start;
            for (int step = 0; step < 60; step++)
            {
                now += TimeSpan.FromMilliseconds(random.Next(120));
                while (TrySend(prober, now, out _))
                {
                }

                bool isTrue = random.Next(30) == 0;
                byte[] datagram = Answer(isTrue ? s_id : new StunTransactionId((ulong)random.Next(4), (uint)random.Next(2)), s_mapped);
                if (!isTrue && random.Next(2) == 0)
                    datagram[random.Next(datagram.Length)] ^= (byte)(1 << random.Next(8));
                if (prober.HandleDatagram(now, isTrue ? s_server : s_other, datagram) is { } answer)
                    Assert.True(isTrue && answer.Server.Equals(s_server) && answer.Observed.Address.Equals(s_mapped), $"seed {seed}");
            }

            // The first request went out with the first step.
            if (now - s_start > StunProber.Patience + TimeSpan.FromMilliseconds(250))
                Assert.True(prober.IsDone, $"seed {seed}");
        }
    }

    private static StunProber Asking(IPEndPoint server)
    {
        var prober = new StunProber();
        Assert.True(prober.TryAdd(s_start, server, s_id));
        return prober;
    }

    private static bool TrySend(StunProber prober, Instant now, out IPEndPoint? to) =>
        prober.TryGetTransmit(now, new byte[StunMessage.RequestLength], out to, out _);

    private static byte[] Answer(StunTransactionId id, IPEndPoint mapped)
    {
        byte[] buffer = new byte[StunMessage.AnswerLengthMax];
        return buffer[..StunMessage.WriteSuccess(buffer, id, mapped)];
    }
}
