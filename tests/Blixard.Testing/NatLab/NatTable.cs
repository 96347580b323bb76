using System.Globalization;
using System.Text;

namespace Blixard.Testing.NatLab;

/// <summary>Outcomes as tables in Markdown. Pure.</summary>
public static class NatTable
{
    /// <summary>One row for each pair of kinds, in the order in which they were met.</summary>
    public static string OfMeetings(IEnumerable<NatOutcome> outcomes)
    {
        var table = new StringBuilder("| listens behind | dials from behind | runs | direct | first relayed path to direct: median | 90 % | longest | at the relay, median KiB | application errors |\n|---|---|---|---|---|---|---|---|---|\n");
        foreach (IGrouping<(NatKind Listener, NatKind Dialler), NatOutcome> cell in outcomes.GroupBy(one => (one.Listener, one.Dialler)))
        {
            int runs = cell.Count(), direct = cell.Count(one => one.IsDirect);
            double[] times = [.. cell.Where(one => one.ToDirect is not null).Select(one => one.ToDirect!.Value.TotalMilliseconds).Order()];
            double[] bytes = [.. cell.Select(one => one.RelayBytes / 1024.0).Order()];
            table.Append(CultureInfo.InvariantCulture, $"| {NameOf(cell.Key.Listener)} | {NameOf(cell.Key.Dialler)} | {runs} | {100.0 * direct / runs:0} % ");
            table.Append(CultureInfo.InvariantCulture, $"| {Milliseconds(times, 0.5)} | {Milliseconds(times, 0.9)} | {Milliseconds(times, 1)} ");
            table.Append(CultureInfo.InvariantCulture, $"| {At(bytes, 0.5):0} | {cell.Count(one => one.Problem is not null)} |\n");
        }

        return table.ToString();
    }

    /// <summary>One row for each thing that happened to a transfer.</summary>
    public static string OfUplinks(IEnumerable<UplinkOutcome> outcomes)
    {
        var table = new StringBuilder("| what happens in the middle of a transfer | times | data again after: median | longest |\n|---|---|---|---|\n");
        foreach (IGrouping<string, UplinkOutcome> group in outcomes.GroupBy(one => one.What))
        {
            double[] times = [.. group.Select(one => one.Resumed.TotalMilliseconds).Order()];
            table.Append(CultureInfo.InvariantCulture, $"| {group.Key} | {times.Length} | {Milliseconds(times, 0.5)} | {Milliseconds(times, 1)} |\n");
        }

        return table.ToString();
    }

    /// <summary>One row for each time that a relay was killed and started again.</summary>
    public static string OfRestarts(IEnumerable<RelayRestartOutcome> outcomes)
    {
        var table = new StringBuilder("| connections over the killed relay | went on | relay away | stood still: median | 90 % | longest |\n|---|---|---|---|---|---|\n");
        foreach (RelayRestartOutcome outcome in outcomes)
        {
            double[] times = [.. outcome.StoodStill.Select(time => time.TotalMilliseconds)];
            table.Append(CultureInfo.InvariantCulture, $"| {outcome.Connections} | {times.Length} | {outcome.Away.TotalMilliseconds:0} ms ");
            table.Append(CultureInfo.InvariantCulture, $"| {Milliseconds(times, 0.5)} | {Milliseconds(times, 0.9)} | {Milliseconds(times, 1)} |\n");
        }

        return table.ToString();
    }

    /// <summary>A kind for people.</summary>
    public static string NameOf(NatKind kind) => kind switch
    {
        NatKind.Open => "open",
        NatKind.AddressIndependent => "address-independent",
        NatKind.PortRestricted => "port-restricted",
        NatKind.RandomPort => "random port",
        NatKind.DoubleNat => "double NAT",
        NatKind.IPv6Only => "IPv6 only",
        NatKind.UdpBlocked => "UDP blocked",
        _ => "hairpin",
    };

    private static string Milliseconds(double[] sorted, double share) =>
        sorted.Length == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"{At(sorted, share):0} ms");

    private static double At(double[] sorted, double share) => sorted[(int)Math.Min(sorted.Length - 1, Math.Floor(sorted.Length * share))];
}
