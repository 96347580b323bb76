using Blixard.Testing.NatLab;

namespace Blixard.NatLab.Tests.Lab;

public sealed class NatTableTests
{
    [Fact]
    public void A_cell_shows_how_many_were_direct_and_how_soon()
    {
        NatOutcome[] outcomes =
        [
            Direct(100), Direct(300), Direct(200),
            new NatOutcome(NatKind.Open, NatKind.RandomPort, false, null, 4096, "no ping was answered"),
        ];

        string row = NatTable.OfMeetings(outcomes).Split('\n')[2];

        Assert.Equal("| open | random port | 4 | 75 % | 200 ms | 300 ms | 300 ms | 2 | 1 |", row);
    }

    [Fact]
    public void A_cell_that_was_always_relayed_has_no_times()
    {
        string row = NatTable.OfMeetings([new NatOutcome(NatKind.RandomPort, NatKind.RandomPort, false, null, 2048, null)]).Split('\n')[2];

        Assert.Equal("| random port | random port | 1 | 0 % |  |  |  | 2 | 0 |", row);
    }

    [Fact]
    public void What_happens_to_transfers_is_grouped_by_what_it_is()
    {
        UplinkOutcome[] outcomes = [new("v4 to v6", TimeSpan.FromMilliseconds(40)), new("outage", TimeSpan.FromSeconds(1)), new("v4 to v6", TimeSpan.FromMilliseconds(80))];

        string[] rows = NatTable.OfUplinks(outcomes).Split('\n');

        Assert.Equal(["| v4 to v6 | 2 | 80 ms | 80 ms |", "| outage | 1 | 1000 ms | 1000 ms |"], rows[2..4]);
    }

    private static NatOutcome Direct(int milliseconds) =>
        new(NatKind.Open, NatKind.RandomPort, true, TimeSpan.FromMilliseconds(milliseconds), 2048, null);
}
