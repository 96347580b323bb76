using System.Text;
using Blixard.Cluster.Store;
using Blixard.Testing.Chaos;

namespace Blixard.Chaos.Tests.Chaos;

/// <summary>The checks find every fault that is planted.</summary>
public sealed class WorkloadChecksTests
{
    [Fact]
    public void A_sequence_with_everything_acknowledged_and_some_of_the_unknown_is_in_order() =>
        Assert.Empty(WorkloadChecks.CheckSequence(
            [Tried("1", Outcome.Done), Tried("2", Outcome.Unknown), Tried("3", Outcome.Unknown), Tried("4", Outcome.NotTaken)],
            [Entry("1", 5), Entry("3", 7)]));

    [Fact]
    public void A_lost_a_changed_a_doubled_a_wrongly_refused_and_a_foreign_entry_are_found()
    {
        Assert.Contains("1 entries acknowledged and lost: 1", Single([Tried("1", Outcome.Done)], []));
        Assert.Contains("another value", Single([Tried("1", Outcome.Done)], [Entry("1", 5, "2")]));
        Assert.Contains("more than once", Single([Tried("1", Outcome.Done)], [Entry("1", 5) with { Version = 2 }]));
        Assert.Contains("refused", Single([Tried("1", Outcome.Refused)], []));
        Assert.Contains("took none", Single([Tried("1", Outcome.NotTaken)], [Entry("1", 5)]));
        Assert.Contains("nobody wrote them: 1", Single([], [Entry("1", 5)]));
    }

    [Fact]
    public void A_watch_that_misses_doubles_or_shuffles_is_found()
    {
        StoreEntry[] found = [Entry("1", 5), Entry("2", 6), Entry("3", 9)];

        Assert.Empty(WorkloadChecks.CheckWatch([.. found.Select(Told)], found));
        Assert.Contains("missed 1 entries: 2", Assert.Single(WorkloadChecks.CheckWatch([Told(found[0]), Told(found[2])], found)));
        Assert.Contains("the watch told 2 twice", WorkloadChecks.CheckWatch([Told(found[0]), Told(found[1]), Told(found[1]), Told(found[2])], found));
        Assert.Contains(
            "the watch told 2 of revision 6 after revision 9",
            Assert.Single(WorkloadChecks.CheckWatch([Told(found[0]), Told(found[2]), Told(found[1])], found)));
        Assert.Contains("removed", Assert.Single(WorkloadChecks.CheckWatch([.. found.Select(Told), new StoreChange("4", null)], found)));
    }

    private static string Single(Append[] appends, StoreEntry[] found) => Assert.Single(WorkloadChecks.CheckSequence(appends, found));

    private static Append Tried(string key, Outcome outcome) => new(key, key, outcome, TimeSpan.Zero);

    private static StoreEntry Entry(string key, long revision, string? value = null) =>
        new(key, Encoding.ASCII.GetBytes(value ?? key), revision, revision, 1);

    private static StoreChange Told(StoreEntry entry) => new(entry.Key, entry);
}
