using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Blixard.Testing.Namespaces;

namespace Blixard.Testing.NatLab;

/// <summary>One thing that happened to a transfer, and how long nothing of it arrived afterwards.</summary>
/// <param name="What">For people.</param>
/// <param name="Resumed">From when the network was whole again, or the relay gone, to the arrival of more data.</param>
public sealed record UplinkOutcome(string What, TimeSpan Resumed);

/// <summary>What happens to hosts' ways to the network in the middle of a transfer, which has to arrive whole in spite of it.</summary>
public static class UplinkCases
{
    // So that a transfer outlives what is done to it: a few seconds for each change.
    private static readonly LinkConditions s_uplink = new() { Delay = TimeSpan.FromMilliseconds(10), BytesPerSecond = 1_500_000 };

    private const int BytesPerChange = 8_000_000;

    // More than acknowledgements and keep-alives of an idle second, less than a tenth of a second of the transfer.
    private const int SignOfLife = 60_000;

    /// <summary>The dialling host moves from one NAT to another, to a network of IPv6 alone, and back.</summary>
    public static Task<IReadOnlyList<UplinkOutcome>> MoveAsync(string program) => RunAsync(program, 3, async (run, say) =>
    {
        LabSite office = await run.Lab.AddSiteAsync("office", NatKind.PortRestricted, s_uplink).ConfigureAwait(false);
        LabSite six = await run.Lab.AddSiteAsync("six", NatKind.IPv6Only, s_uplink).ConfigureAwait(false);
        foreach ((string what, LabSite site) in new[] { ("v4 to v4", office), ("v4 to v6", six), ("v6 to v4", run.Home) })
        {
            await run.Lab.MoveAsync(run.Dialler, site).ConfigureAwait(false);
            say(new UplinkOutcome(what, await run.Meter.UntilReceivedAsync(SignOfLife).ConfigureAwait(false)));
        }
    });

    /// <summary>Nothing passes between the dialling host and its gateway for a while, and nobody is told.</summary>
    public static Task<IReadOnlyList<UplinkOutcome>> CutAsync(string program, TimeSpan duration) => RunAsync(program, 1, async (run, say) =>
    {
        await run.Lab.CutAsync(run.Dialler, isCut: true).ConfigureAwait(false);
        await Task.Delay(duration).ConfigureAwait(false);
        await run.Lab.CutAsync(run.Dialler, isCut: false).ConfigureAwait(false);
        say(new UplinkOutcome($"outage of {duration.TotalSeconds:0} s", await run.Meter.UntilReceivedAsync(SignOfLife).ConfigureAwait(false)));
    });

    /// <summary>The relay is killed and started again while the endpoints talk directly, and again while they have nothing but the relay.</summary>
    public static async Task<IReadOnlyList<UplinkOutcome>> KillRelayAsync(string program)
    {
        IReadOnlyList<UplinkOutcome> direct = await RunAsync(program, 1, async (run, say) =>
        {
            await run.Meeting.KillRelayAsync().ConfigureAwait(false);
            say(new UplinkOutcome("relay killed, on a direct path", await run.Meter.UntilReceivedAsync(SignOfLife).ConfigureAwait(false)));
            await run.Meeting.RestartRelayAsync().ConfigureAwait(false);
        }).ConfigureAwait(false);
        IReadOnlyList<UplinkOutcome> relayed = await RunAsync(program, 1, async (run, say) =>
        {
            await run.Meeting.KillRelayAsync().ConfigureAwait(false);
            await run.Meeting.RestartRelayAsync().ConfigureAwait(false);
            say(new UplinkOutcome("relay killed and started again, nothing but it", await run.Meter.UntilReceivedAsync(SignOfLife).ConfigureAwait(false)));
        }, NatKind.UdpBlocked).ConfigureAwait(false);
        return [.. direct, .. relayed];
    }

    private static async Task<IReadOnlyList<UplinkOutcome>> RunAsync(
        string program, int changes, Func<Run, Action<UplinkOutcome>, Task> change, NatKind home = NatKind.PortRestricted)
    {
        await using InternetLab lab = await InternetLab.CreateAsync().ConfigureAwait(false);
        LabSite there = await lab.AddSiteAsync("there", NatKind.Open, s_uplink).ConfigureAwait(false);
        LabSite here = await lab.AddSiteAsync("here", home, s_uplink).ConfigureAwait(false);
        LabHost dialler = await lab.AddHostAsync("dialler", here).ConfigureAwait(false);
        await using NatMeeting meeting = await NatMeeting.StartAsync(lab, program).ConfigureAwait(false);
        await meeting.ListenAsync(await lab.AddHostAsync("listener", there).ConfigureAwait(false), NatKind.Open).ConfigureAwait(false);

        byte[] data = RandomNumberGenerator.GetBytes(BytesPerChange * changes);
        string file = Path.Combine(lab.Folder, "data");
        await File.WriteAllBytesAsync(file, data).ConfigureAwait(false);
        var outcomes = new List<UplinkOutcome>();
        LabProgram sender = meeting.SendFile(dialler, file);
        await using (sender.ConfigureAwait(false))
        {
            await sender.UntilEventAsync("connected").ConfigureAwait(false);

            // What comes back to the end that is moved has taken its new way, whatever was left on the old one.
            var meter = new LabMeter(sender);
            await meter.UntilReceivedAsync(BytesPerChange / 8).ConfigureAwait(false);
            await change(new Run(lab, meeting, here, dialler, meter), outcomes.Add).ConfigureAwait(false);
            JsonObject done = await sender.UntilEventAsync("done").ConfigureAwait(false);
            if (done["sha256Received"]!.GetValue<string>() != Convert.ToHexStringLower(SHA256.HashData(data)))
                throw new LabException($"what came back is not what was sent\n{sender.Tail}");
        }

        return outcomes;
    }

    private sealed record Run(InternetLab Lab, NatMeeting Meeting, LabSite Home, LabHost Dialler, LabMeter Meter);
}
