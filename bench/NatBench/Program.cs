using System.Globalization;
using Blixard.Testing.Namespaces;
using Blixard.Testing.NatLab;

namespace NatBench;

/// <summary>
/// Two endpoints behind each pair of NATs, and what happens to a transfer when its network changes:
/// <code>
/// NatBench [--runs N] [--delay MS] [--listen KIND] [--dial KIND] [--report FILE] [matrix] [uplink] [outage] [relay] [relay-restart]
/// </code>
/// Prints each outcome as it comes and at the end tables in Markdown. Ends with 0 if no application met an error, with 1 if one did.
/// </summary>
internal static class Program
{
    private static readonly string[] s_cases = ["matrix", "uplink", "outage", "relay", "relay-restart"];
    private static readonly string[] s_options = ["--runs", "--delay", "--listen", "--dial", "--report"];

    private static async Task<int> Main(string[] arguments)
    {
        var options = new Dictionary<string, string>(StringComparer.Ordinal);
        var cases = new List<string>();
        for (int i = 0; i < arguments.Length; i++)
        {
            if (s_options.Contains(arguments[i]) && i + 1 < arguments.Length)
                options[arguments[i]] = arguments[++i];
            else if (s_cases.Contains(arguments[i]))
                cases.Add(arguments[i]);
            else
                return Fail(2, $"'{arguments[i]}' is no option and no case; there are {string.Join(", ", s_options)} with a value, and {string.Join(", ", s_cases)}");
        }

        if (!TryParse(options, out Plan plan, out string? problem))
            return Fail(2, problem);
        if (InternetLab.WhyNot() is { } reason)
            return Fail(1, reason);
        return await RunAsync(plan, cases.Count > 0 ? cases : s_cases, options.GetValueOrDefault("--report"));
    }

    private static async Task<int> RunAsync(Plan plan, IReadOnlyList<string> cases, string? file)
    {
        string program = Path.Combine(AppContext.BaseDirectory, "blixard.dll");
        bool failed = false;
        var tables = new List<string>();
        var uplinks = new List<UplinkOutcome>();
        if (cases.Contains("matrix"))
        {
            IReadOnlyList<NatOutcome> outcomes = await NatMatrix.RunAsync(program, plan.Listeners, plan.Diallers, plan.Runs, plan.Delay, Say);
            failed |= outcomes.Any(outcome => outcome.Problem is not null);
            tables.Add(NatTable.OfMeetings(outcomes));
        }

        foreach (string name in cases.Where(name => name is not ("matrix" or "relay-restart")))
        {
            for (int run = 0; run < plan.Runs; run++)
            {
                try
                {
                    foreach (UplinkOutcome outcome in await RunUplinkAsync(name, program))
                    {
                        Log($"{outcome.What}: data again after {outcome.Resumed.TotalMilliseconds:0} ms");
                        uplinks.Add(outcome);
                    }
                }
                catch (LabException e)
                {
                    Log($"{name} FAILED: {e.Message}");
                    failed = true;
                }
            }
        }

        if (uplinks.Count > 0)
            tables.Add(NatTable.OfUplinks(uplinks));
        if (cases.Contains("relay-restart"))
            failed |= !await RestartAsync(program, plan.Runs, tables);
        string text = string.Join('\n', tables);
        Console.WriteLine(text);
        if (file is not null)
            await File.WriteAllTextAsync(file, text);
        return failed ? 1 : 0;
    }

    /// <summary>A relay is killed under a thousand connections; false if one of them did not go on.</summary>
    private static async Task<bool> RestartAsync(string program, int runs, List<string> tables)
    {
        const int Side = 32;
        var outcomes = new List<RelayRestartOutcome>();
        for (int run = 0; run < runs; run++)
        {
            RelayRestartOutcome outcome = await RelayRestart.RunAsync(program, Side, Side);
            string last = outcome.StoodStill is [.., { } longest] ? $", the last after {longest.TotalMilliseconds:0} ms" : "";
            Log($"relay killed under {outcome.Connections} connections, {outcome.StoodStill.Count} went on{last}");
            foreach (string problem in outcome.Problems)
                Log(problem);
            outcomes.Add(outcome);
        }

        tables.Add(NatTable.OfRestarts(outcomes));
        return outcomes.All(outcome => outcome.Problems.Count == 0);
    }

    private static Task<IReadOnlyList<UplinkOutcome>> RunUplinkAsync(string name, string program) => name switch
    {
        "uplink" => UplinkCases.MoveAsync(program),
        "outage" => UplinkCases.CutAsync(program, TimeSpan.FromSeconds(5)),
        _ => UplinkCases.KillRelayAsync(program),
    };

    private static bool TryParse(Dictionary<string, string> options, out Plan plan, out string? problem)
    {
        plan = new Plan(20, TimeSpan.FromMilliseconds(10), NatMatrix.Kinds, NatMatrix.Kinds);
        problem = null;
        foreach ((string name, string value) in options)
        {
            bool isNumber = int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int number);
            bool isKind = Enum.TryParse(value, ignoreCase: true, out NatKind kind) && !isNumber;
            switch (name)
            {
                case "--runs" when isNumber && number > 0:
                    plan = plan with { Runs = number };
                    break;
                case "--delay" when isNumber:
                    plan = plan with { Delay = TimeSpan.FromMilliseconds(number) };
                    break;
                case "--listen" when isKind:
                    plan = plan with { Listeners = [kind] };
                    break;
                case "--dial" when isKind:
                    plan = plan with { Diallers = [kind] };
                    break;
                case "--report":
                    break;
                default:
                    problem = $"{name} does not take '{value}'; kinds are {string.Join(", ", Enum.GetNames<NatKind>())}";
                    return false;
            }
        }

        return true;
    }

    private static void Say(NatOutcome outcome)
    {
        string way = outcome.IsDirect ? $"direct after {outcome.ToDirect?.TotalMilliseconds:0} ms" : "relayed";
        Log($"{NatTable.NameOf(outcome.Listener)} <- {NatTable.NameOf(outcome.Dialler)}: {way}, {outcome.RelayBytes} bytes at the relay");
        if (outcome.Problem is not null)
            Log(outcome.Problem);
    }

    private static void Log(string line) => Console.Error.WriteLine($"{DateTime.UtcNow:HH:mm:ss} {line}");

    private static int Fail(int code, string? message)
    {
        Console.Error.WriteLine($"error: {message}");
        return code;
    }

    private sealed record Plan(int Runs, TimeSpan Delay, IReadOnlyList<NatKind> Listeners, IReadOnlyList<NatKind> Diallers);
}
