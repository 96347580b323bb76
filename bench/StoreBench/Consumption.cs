using System.Globalization;

namespace StoreBench;

/// <summary>What processes have consumed since they began.</summary>
/// <param name="Processor">Time on a processor, of the process and of the kernel for it; the kernel counts in steps of 10 ms.</param>
/// <param name="Compiler">The part of it in which .NET's background thread compiled hot methods again.</param>
/// <param name="Sleeps">How often one of its threads went to sleep.</param>
internal readonly record struct Consumption(TimeSpan Processor, TimeSpan Compiler, long Sleeps)
{
    // What the kernel keeps of ".NET Tiered Compilation Worker".
    private const string CompilerThread = "(.NET Tiered Com)";

    // USER_HZ of Linux on all machines that .NET runs on: the unit of times in /proc/PID/stat.
    private const int TicksPerSecond = 100;

    public static Consumption operator +(Consumption one, Consumption other) => new(one.Processor + other.Processor, one.Compiler + other.Compiler, one.Sleeps + other.Sleeps);

    public static Consumption operator -(Consumption one, Consumption other) => new(one.Processor - other.Processor, one.Compiler - other.Compiler, one.Sleeps - other.Sleeps);

    /// <summary>The sum over processes; those that are gone count as nothing.</summary>
    public static Consumption Of(IEnumerable<int> processes) => processes.Aggregate(default(Consumption), (sum, process) => sum + Of(process));

    /// <summary>The processes that <paramref name="parents"/> have started and that still run.</summary>
    public static IReadOnlyList<int> ChildrenOf(IReadOnlyCollection<int> parents) =>
        [.. Directory.EnumerateDirectories("/proc")
            .Select(folder => int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out int process) ? process : 0)
            .Where(process => process > 0 && StatusOf($"/proc/{process}") is { } status && parents.Contains(status.Parent))];

    private static Consumption Of(int process)
    {
        if (StatusOf($"/proc/{process}") is not { } status)
            return default;
        TimeSpan compiler = default;
        long sleeps = 0;
        try
        {
            foreach (string thread in Directory.EnumerateDirectories($"/proc/{process}/task"))
            {
                sleeps += SleepsOf(thread);
                if (StatusOf(thread) is { Name: CompilerThread } one)
                    compiler += one.Processor;
            }
        }
        catch (IOException)
        {
            // It ended in this moment.
        }

        return new Consumption(status.Processor, compiler, sleeps);
    }

    private static (string Name, int Parent, TimeSpan Processor)? StatusOf(string folder)
    {
        string line;
        try
        {
            line = File.ReadAllText(folder + "/stat");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }

        // The name may hold spaces and brackets: the fields are counted from the state behind it.
        int end = line.LastIndexOf(')') + 1;
        string[] fields = line[end..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        long ticks = long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture);
        return (line[line.IndexOf('(', StringComparison.Ordinal)..end], int.Parse(fields[1], CultureInfo.InvariantCulture), TimeSpan.FromSeconds((double)ticks / TicksPerSecond));
    }

    private static long SleepsOf(string folder)
    {
        const string name = "voluntary_ctxt_switches:";
        try
        {
            string? line = File.ReadLines(Path.Combine(folder, "status")).FirstOrDefault(one => one.StartsWith(name, StringComparison.Ordinal));
            return line is null ? 0 : long.Parse(line.AsSpan(name.Length).Trim(), CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return 0;
        }
    }
}
