using Iroh.Cryptography;
using Iroh.Quic.Protocol.NatTraversal;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Tests.NatTraversal;

public class ProbeBudgetTests
{
    private static readonly Instant Start = new(1_000_000_000);

    [Fact]
    public void Probes_never_exceed_three_times_what_the_peer_has_sent()
    {
        const ulong Seed = 1;
        var random = new SeededRandomSource(Seed);
        var budget = new ProbeBudget();
        long received = 0, sent = 0;
        Assert.False(budget.AllowsProbe);
        for (int i = 0; i < 20_000; i++)
        {
            if (random.NextBelow(40) == 0)
            {
                int length = 20 + (int)random.NextBelow(random.NextBelow(10) == 0 ? 1452UL : 60UL);
                budget.OnReceived(length);
                received += length;
            }
            else if (budget.AllowsProbe)
            {
                int length = 38 + (int)random.NextBelow(13);
                budget.OnProbeSent(length);
                sent += length;
            }

            Assert.True(sent <= 3 * received, $"seed {Seed}, step {i}");
        }

        Assert.True(sent > 2 * received);
    }

    [Fact]
    public void What_a_peer_has_sent_long_ago_buys_one_burst_and_no_flood()
    {
        var budget = new ProbeBudget();
        for (int i = 0; i < 10_000; i++)
            budget.OnReceived(1200);
        int sent = 0;
        for (; budget.AllowsProbe; sent += 40)
            budget.OnProbeSent(40);
        Assert.InRange(sent, ProbeBudget.BytesMax - 100, ProbeBudget.BytesMax);
    }

    [Fact]
    public void A_peer_that_names_ever_new_addresses_has_few_of_them_tried()
    {
        var budget = new ProbeBudget();
        int tried = 0;
        for (int ms = 0; ms < 10_000; ms++)
        {
            for (int i = 0; i < 10; i++)
                tried += budget.TryTakeTarget(Start + TimeSpan.FromMilliseconds(ms)) ? 1 : 0;
        }

        Assert.InRange(tried, ProbeBudget.TargetsMax, ProbeBudget.TargetsMax + (10 * ProbeBudget.TargetsPerSecond));
    }

    [Fact]
    public void Rounds_of_an_honest_peer_are_never_short_of_targets()
    {
        var budget = new ProbeBudget();
        for (int round = 0; round < 100; round++)
        {
            for (int i = 0; i < 32; i++)
                Assert.True(budget.TryTakeTarget(Start + (round * TimeSpan.FromSeconds(5))));
        }
    }
}
