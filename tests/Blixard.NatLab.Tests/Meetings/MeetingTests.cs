using Blixard.NatLab.Tests.Lab;
using Blixard.Testing.Namespaces;
using Blixard.Testing.NatLab;

namespace Blixard.NatLab.Tests.Meetings;

/// <summary>Two endpoints behind each pair of NATs, once each. <c>bench/nat</c> is the long form, with times.</summary>
public sealed class MeetingTests(ITestOutputHelper output)
{
    [LabTheory]
    [InlineData(NatKind.Open)]
    [InlineData(NatKind.AddressIndependent)]
    [InlineData(NatKind.PortRestricted)]
    [InlineData(NatKind.RandomPort)]
    public async Task Endpoints_behind_any_pair_of_NATs_talk_and_directly_wherever_both_can_be_reached(NatKind listener)
    {
        IReadOnlyList<NatOutcome> outcomes = await NatMatrix.RunAsync(BlixardProgram.Path, [listener], NatMatrix.Kinds, runs: 1, TimeSpan.Zero, Tell);

        foreach (NatOutcome outcome in outcomes)
        {
            Assert.True(outcome.Problem is null, outcome.Problem);
            Assert.True(outcome.IsDirect || !MustBeDirect(outcome), $"{Pair(outcome)} stayed on the relay");
        }
    }

    [LabTheory]
    [InlineData(NatKind.Open, NatKind.DoubleNat, true)]
    [InlineData(NatKind.DoubleNat, NatKind.PortRestricted, true)]
    [InlineData(NatKind.Open, NatKind.IPv6Only, true)]
    [InlineData(NatKind.IPv6Only, NatKind.IPv6Only, true)]
    [InlineData(NatKind.PortRestricted, NatKind.IPv6Only, false)]
    [InlineData(NatKind.Open, NatKind.UdpBlocked, false)]
    public async Task Endpoints_in_other_networks_talk_directly_where_there_is_a_way_and_over_the_relay_where_there_is_none(
        NatKind listener, NatKind dialler, bool isDirect)
    {
        NatOutcome outcome = Assert.Single(await NatMatrix.RunAsync(BlixardProgram.Path, [listener], [dialler], runs: 1, TimeSpan.Zero, Tell));

        Assert.True(outcome.Problem is null, outcome.Problem);
        Assert.Equal(isDirect, outcome.IsDirect);
    }

    [LabFact]
    public async Task Endpoints_whose_gateway_turns_them_round_talk_by_its_public_address()
    {
        await using InternetLab lab = await InternetLab.CreateAsync();
        LabSite site = await lab.AddSiteAsync("site", NatKind.Hairpin);
        LabHost one = await lab.AddHostAsync("one", site), other = await lab.AddHostAsync("other", site);
        await using NatMeeting meeting = await NatMeeting.StartAsync(lab, BlixardProgram.Path);
        await meeting.ListenAsync(one, NatKind.Hairpin);

        NatOutcome outcome = await meeting.MeetAsync(other, NatKind.Hairpin);
        Tell(outcome);

        Assert.True(outcome.Problem is null, outcome.Problem);
        Assert.True(outcome.IsDirect, $"{Pair(outcome)} stayed on the relay\n{meeting.Listener.Tail}");
    }

    // A port that is random to each destination can be found by a search, which may take longer than a busy machine is waited for; where
    // both are, there is nothing to search for.
    private static bool MustBeDirect(NatOutcome outcome)
    {
        bool isListenerRandom = outcome.Listener == NatKind.RandomPort, isDiallerRandom = outcome.Dialler == NatKind.RandomPort;
        return !(isListenerRandom && isDiallerRandom)
            && !(isListenerRandom && outcome.Dialler == NatKind.PortRestricted)
            && !(isDiallerRandom && outcome.Listener == NatKind.PortRestricted);
    }

    private static string Pair(NatOutcome outcome) => $"{NatTable.NameOf(outcome.Listener)} <- {NatTable.NameOf(outcome.Dialler)}";

    private void Tell(NatOutcome outcome) => output.WriteLine(
        $"{Pair(outcome)}: {(outcome.IsDirect ? $"direct after {outcome.ToDirect?.TotalMilliseconds:0} ms" : "relayed")}, {outcome.RelayBytes} bytes at the relay");
}
