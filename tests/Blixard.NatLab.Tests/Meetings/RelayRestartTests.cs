using Blixard.Testing.NatLab;

namespace Blixard.NatLab.Tests.Meetings;

/// <summary>A relay's process is killed under connections that have nothing else; how long they stood still is printed.</summary>
public sealed class RelayRestartTests(ITestOutputHelper output)
{
    [Fact(Timeout = 180_000)]
    public async Task A_hundred_connections_go_on_when_their_only_relay_is_killed_and_started_again()
    {
        RelayRestartOutcome outcome = await RelayRestart.RunAsync(BlixardProgram.Path, 10, 10);

        output.WriteLine(NatTable.OfRestarts([outcome]));
        Assert.True(outcome.Problems.Count == 0, string.Join('\n', outcome.Problems));
        Assert.Equal(100, outcome.StoodStill.Count);
    }
}
