using Blixard.Testing.Namespaces;

namespace Blixard.Testing.NatLab;

/// <summary>Two endpoints behind each pair of kinds, one pair after the other in one lab.</summary>
public static class NatMatrix
{
    /// <summary>The kinds that the matrix is made of.</summary>
    public static IReadOnlyList<NatKind> Kinds { get; } = [NatKind.Open, NatKind.AddressIndependent, NatKind.PortRestricted, NatKind.RandomPort];

    /// <summary>Runs cells.</summary>
    /// <param name="program">The path of blixard.dll.</param>
    /// <param name="listeners">What the accepting end is behind, one after the other.</param>
    /// <param name="diallers">What the dialling end is behind, one after the other.</param>
    /// <param name="runs">How often each pair meets, each time with a new dialling endpoint.</param>
    /// <param name="delay">What each site's way to the public segment takes; zero: a plain cable.</param>
    /// <param name="report">Told of each outcome as it comes.</param>
    public static async Task<IReadOnlyList<NatOutcome>> RunAsync(
        string program, IReadOnlyList<NatKind> listeners, IReadOnlyList<NatKind> diallers, int runs, TimeSpan delay, Action<NatOutcome> report)
    {
        await using InternetLab lab = await InternetLab.CreateAsync().ConfigureAwait(false);
        LinkConditions? uplink = delay == TimeSpan.Zero ? null : new LinkConditions { Delay = delay };
        var sites = new Dictionary<(string Side, NatKind Kind), LabHost>();
        foreach ((string side, NatKind kind) in listeners.Select(kind => ("l", kind)).Concat(diallers.Select(kind => ("d", kind))))
        {
            string name = $"{side}{(int)kind}";
            sites[(side, kind)] = await lab.AddHostAsync($"{name}host", await lab.AddSiteAsync(name, kind, uplink).ConfigureAwait(false)).ConfigureAwait(false);
        }

        await using NatMeeting meeting = await NatMeeting.StartAsync(lab, program).ConfigureAwait(false);
        var outcomes = new List<NatOutcome>();
        foreach (NatKind listener in listeners)
        {
            await meeting.ListenAsync(sites[("l", listener)], listener).ConfigureAwait(false);
            foreach (NatKind dialler in diallers)
            {
                for (int run = 0; run < runs; run++)
                {
                    NatOutcome outcome = await meeting.MeetAsync(sites[("d", dialler)], dialler).ConfigureAwait(false);
                    outcomes.Add(outcome);
                    report(outcome);
                }
            }
        }

        return outcomes;
    }
}
