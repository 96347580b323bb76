using Iroh.Quic.Protocol.Paths;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Tests.Paths;

public class MtuDiscoveryTests
{
    private static readonly Instant Start = new(1_000_000_000);

    [Fact]
    public void Whatever_the_path_carries_the_search_ends_within_a_step_of_it()
    {
        for (int actual = MtuDiscovery.BaseSize; actual <= MtuDiscovery.DefaultUpperBound; actual++)
        {
            MtuDiscovery mtu = new();
            int probes = Search(mtu, Start, actual);
            Assert.True(mtu.Current <= actual && actual - mtu.Current < MtuDiscovery.StepMin, $"{mtu.Current} for {actual}");
            Assert.True(probes <= 5 * MtuDiscovery.ProbesMax, $"{probes} probes for {actual}");
        }
    }

    [Fact]
    public void A_path_that_carries_the_upper_bound_needs_one_probe_and_no_further_search()
    {
        MtuDiscovery mtu = new();
        Assert.Equal(1, Search(mtu, Start, 9000));
        Assert.Equal(MtuDiscovery.DefaultUpperBound, mtu.Current);
        Assert.Equal(Instant.Never, mtu.Deadline);
    }

    [Theory]
    [InlineData(65_527, 65_507, 16_200)]
    [InlineData(65_527, 8_972, 8_952)]
    [InlineData(65_527, 1_472, 1_452)]
    [InlineData(8_952, 65_507, 8_952)]
    [InlineData(1_472, 65_507, 1_452)]
    public void Larger_links_are_tried_size_by_size_up_to_the_bound(int upperBound, int actual, int expected)
    {
        MtuDiscovery mtu = new(upperBound);
        int probes = Search(mtu, Start, actual);
        Assert.Equal(expected, mtu.Current);
        Assert.True(probes <= 3 + MtuDiscovery.ProbesMax, $"{probes} probes");
    }

    [Fact]
    public void Below_ethernet_the_search_halves_even_if_the_bound_is_larger()
    {
        MtuDiscovery mtu = new(16_384);
        Search(mtu, Start, 1_300);
        Assert.InRange(mtu.Current, 1_300 - MtuDiscovery.StepMin, 1_300);
    }

    [Fact]
    public void Rfc8899_5_1_1_a_search_that_fell_short_is_repeated_after_600_seconds()
    {
        MtuDiscovery mtu = new();
        Search(mtu, Start, 1300);
        Assert.Equal(Start + TimeSpan.FromSeconds(600), mtu.Deadline);
        Assert.False(mtu.TryGetProbe(Start + TimeSpan.FromSeconds(599), out _));
        Search(mtu, Start + TimeSpan.FromSeconds(600), 9000);
        Assert.Equal(MtuDiscovery.DefaultUpperBound, mtu.Current);
    }

    [Fact]
    public void Rfc8899_5_1_2_a_size_is_given_up_after_three_losses()
    {
        MtuDiscovery mtu = new();
        List<int> sizes = [];
        while (mtu.TryGetProbe(Start, out int size))
        {
            sizes.Add(size);
            mtu.OnProbeSent();
            mtu.OnProbeLost(Start, size);
        }

        Assert.All(sizes.GroupBy(s => s), g => Assert.Equal(MtuDiscovery.ProbesMax, g.Count()));
        Assert.Equal(MtuDiscovery.BaseSize, mtu.Current);
    }

    [Fact]
    public void One_probe_is_in_flight_at_a_time()
    {
        MtuDiscovery mtu = new();
        Assert.True(mtu.TryGetProbe(Start, out _));
        mtu.OnProbeSent();
        Assert.False(mtu.TryGetProbe(Start, out _));
    }

    [Theory]
    [InlineData(1200, 1200)]
    [InlineData(1300, 1300)]
    [InlineData(65527, 1452)]
    public void Rfc9000_18_2_nothing_larger_than_the_peer_takes_is_tried(ulong limit, int expected)
    {
        MtuDiscovery mtu = new();
        mtu.SetPeerLimit(limit);
        Search(mtu, Start, 9000);
        Assert.Equal(expected, mtu.Current);
    }

    [Fact]
    public void Rfc8899_4_3_large_datagrams_that_no_longer_arrive_are_a_black_hole()
    {
        MtuDiscovery mtu = new();
        Search(mtu, Start, 9000);
        for (int i = 0; i < MtuDiscovery.SuspiciousLossesMax; i++)
            Assert.False(mtu.OnPacketsLost(Start, 1400));
        Assert.True(mtu.OnPacketsLost(Start, 1400));
        Assert.Equal(MtuDiscovery.BaseSize, mtu.Current);
        Assert.Equal(1, mtu.BlackHoles);
        Assert.Equal(Start + TimeSpan.FromSeconds(60), mtu.Deadline);
        Assert.False(mtu.TryGetProbe(Start + TimeSpan.FromSeconds(59), out _));
        Search(mtu, Start + TimeSpan.FromSeconds(60), 1350);
        Assert.InRange(mtu.Current, 1331, 1350);
    }

    [Fact]
    public void Losses_that_hit_small_datagrams_too_are_congestion()
    {
        MtuDiscovery mtu = new();
        Search(mtu, Start, 9000);
        for (int i = 0; i < 100; i++)
            Assert.False(mtu.OnPacketsLost(Start, 1200));
    }

    [Fact]
    public void A_large_datagram_that_arrives_clears_the_suspicion()
    {
        MtuDiscovery mtu = new();
        Search(mtu, Start, 9000);
        for (int i = 0; i < 100; i++)
        {
            Assert.False(mtu.OnPacketsLost(Start, 1452));
            mtu.OnPacketAcknowledged(i % 2 == 0 ? 1452 : 1201);
        }
    }

    [Fact]
    public void A_probe_from_before_a_black_hole_does_not_raise_the_size_again()
    {
        MtuDiscovery mtu = new();
        Assert.True(mtu.TryGetProbe(Start, out int size));
        mtu.OnProbeSent();
        for (int i = 0; i <= MtuDiscovery.SuspiciousLossesMax; i++)
            mtu.OnPacketsLost(Start, 1300);
        Assert.False(mtu.OnProbeAcknowledged(Start, size));
        Assert.Equal(MtuDiscovery.BaseSize, mtu.Current);
    }

    [Fact]
    public void An_upper_bound_below_what_quic_requires_is_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new MtuDiscovery(1199));
    }

    private static int Search(MtuDiscovery mtu, Instant now, int actual)
    {
        int probes = 0;
        while (mtu.TryGetProbe(now, out int size))
        {
            probes++;
            mtu.OnProbeSent();
            if (size <= actual)
                Assert.True(mtu.OnProbeAcknowledged(now, size));
            else
                mtu.OnProbeLost(now, size);
        }

        return probes;
    }
}
