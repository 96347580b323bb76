using Blixard.Cluster.Liveness;

namespace Blixard.Cluster.Tests.Liveness;

/// <summary>Random histories of cuts, stalls and kills.</summary>
public class FencingHistoryTests
{
    private const int Histories = 60;

    [Theory]
    [InlineData(2, 0.03)]
    [InlineData(6, 0.04)]
    [InlineData(30, 0.04)]
    public void No_VM_runs_twice_and_in_the_end_each_runs(int timeToLiveSeconds, double drift)
    {
        int moves = 0, fenced = 0;
        for (ulong seed = 1; seed <= Histories; seed++)
        {
            var fleet = new SimulatedFleet(seed, new LeaseTimes(TimeSpan.FromSeconds(timeToLiveSeconds)), drift);
            fleet.Run(30 * timeToLiveSeconds, calm: false);
            Assert.True(fleet.Violation is null, $"seed {seed}: {fleet.Violation}");
            double healed = fleet.Now;
            do
                fleet.Run(5, calm: true);
            while (fleet.Violation is null && !fleet.IsWell && fleet.Now < healed + (20 * timeToLiveSeconds) + 60);
            Assert.True(fleet.Violation is null, $"seed {seed}: {fleet.Violation}");
            Assert.True(fleet.IsWell, $"seed {seed}: not every VM runs {fleet.Now - healed:0} s after the last trouble");
            moves += fleet.Moves;
            fenced += fleet.Fenced;
        }

        // Histories without any would show nothing.
        Assert.True(moves > Histories && fenced > Histories, $"{moves} moves, {fenced} VMs ended by guards");
    }

    [Fact]
    public void Clocks_that_differ_by_more_than_the_margin_are_found_out()
    {
        bool found = false;
        for (ulong seed = 1; seed <= Histories && !found; seed++)
        {
            var fleet = new SimulatedFleet(seed, new LeaseTimes(TimeSpan.FromSeconds(30)), drift: 0.4);
            fleet.Run(900, calm: false);
            found = fleet.Violation is not null;
        }

        Assert.True(found, "the histories cannot tell a VM that runs twice");
    }
}
