using System.Globalization;

namespace RelayBench;

/// <summary>
/// Measures a relay that runs in a process of its own: <c>RelayBench [SECONDS] [CLIENTS...]</c>. Prints tables in Markdown.
/// </summary>
internal static class Program
{
    private static async Task<int> Main(string[] arguments)
    {
        int[] numbers;
        try
        {
            numbers = [.. arguments.Select(text => int.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture))];
        }
        catch (FormatException)
        {
            await Console.Error.WriteLineAsync("usage: RelayBench [SECONDS] [CLIENTS...]");
            return 2;
        }

        var seconds = TimeSpan.FromSeconds(numbers is [var first, ..] ? first : 5);
        Console.WriteLine($"load average before: {(await File.ReadAllTextAsync("/proc/loadavg")).Split(' ')[0]}\n");
        await Idle.RunAsync(numbers.Length > 1 ? numbers[1..] : [1000, 5000]);
        await Forwarding.RunAsync(seconds);
        await Latency.RunAsync();
        return 0;
    }
}
