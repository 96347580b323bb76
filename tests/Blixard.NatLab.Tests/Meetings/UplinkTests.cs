using Blixard.NatLab.Tests.Lab;
using Blixard.Testing.NatLab;

namespace Blixard.NatLab.Tests.Meetings;

/// <summary>Transfers whose network changes under them arrive whole; how long they stood still is printed.</summary>
public sealed class UplinkTests(ITestOutputHelper output)
{
    [LabFact]
    public async Task A_transfer_goes_on_when_its_host_moves_from_IPv4_to_IPv4_to_IPv6_and_back() => Tell(await UplinkCases.MoveAsync(BlixardProgram.Path));

    [LabFact]
    public async Task A_transfer_survives_an_outage_of_five_seconds() => Tell(await UplinkCases.CutAsync(BlixardProgram.Path, TimeSpan.FromSeconds(5)));

    [LabFact]
    public async Task A_transfer_survives_that_the_relay_is_killed_and_started_again() => Tell(await UplinkCases.KillRelayAsync(BlixardProgram.Path));

    private void Tell(IReadOnlyList<UplinkOutcome> outcomes)
    {
        foreach (UplinkOutcome outcome in outcomes)
            output.WriteLine($"{outcome.What}: data again after {outcome.Resumed.TotalMilliseconds:0} ms");
        Assert.NotEmpty(outcomes);
    }
}
