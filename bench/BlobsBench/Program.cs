using System.Globalization;
using BlobsBench.Transfers;

namespace BlobsBench;

/// <summary>
/// Measures what carries blobs: <c>BlobsBench blake3 [FILE] [ROUNDS]</c>, <c>store [FOLDER] [MEBIBYTES]</c>, <c>transfer [MIB] [ROUNDS]</c>, <c>sources [MIB] [ROUNDS]</c>,
/// <c>swarm [MIB]</c>. Prints tables in Markdown.
/// </summary>
internal static class Program
{
    private static async Task<int> Main(string[] arguments)
    {
        if (arguments is ["blake3", ..] && arguments.Length <= 3
            && int.TryParse(arguments.Length > 2 ? arguments[2] : "5", NumberStyles.None, CultureInfo.InvariantCulture, out int rounds)
            && rounds > 0)
        {
            Console.WriteLine($"load average before: {File.ReadAllText("/proc/loadavg").Split(' ')[0]}\n");
            return Hashing.Run(arguments.Length > 1 ? arguments[1] : null, rounds);
        }

        if (arguments is ["store", ..] && arguments.Length <= 3
            && int.TryParse(arguments.Length > 2 ? arguments[2] : "1024", NumberStyles.None, CultureInfo.InvariantCulture, out int length)
            && length is > 0 and < 2048)
        {
            Console.WriteLine($"load average before: {File.ReadAllText("/proc/loadavg").Split(' ')[0]}\n");
            return await Storing.RunAsync(arguments.Length > 1 ? arguments[1] : Path.GetTempPath(), length);
        }

        switch (arguments)
        {
            case ["node", string directory, ..]:
                return await BenchNode.RunAsync(directory, arguments.Length > 2 ? long.Parse(arguments[2], CultureInfo.InvariantCulture) : null);
            case ["transfer", ..] when TryReadNumbers(arguments, 1024, 3, out int mebibytes, out int times):
                return await OneToOne.RunAsync(mebibytes, times);
            case ["sources", ..] when TryReadNumbers(arguments, 1024, 2, out int mebibytes, out int times):
                return await ManyToOne.RunAsync(mebibytes, times);
            case ["swarm", ..] when TryReadNumbers(arguments, 256, 1, out int mebibytes, out _):
                return await Swarm.RunAsync(mebibytes);
            default:
                Console.Error.WriteLine("usage: BlobsBench blake3 [FILE] [ROUNDS] | store [FOLDER] [MEBIBYTES] | transfer [MIB] [ROUNDS] | sources [MIB] [ROUNDS] | swarm [MIB]");
                return 2;
        }
    }

    private static bool TryReadNumbers(string[] arguments, int mebibytesDefault, int roundsDefault, out int mebibytes, out int rounds)
    {
        (mebibytes, rounds) = (mebibytesDefault, roundsDefault);
        bool read = (arguments.Length < 2 || int.TryParse(arguments[1], NumberStyles.None, CultureInfo.InvariantCulture, out mebibytes))
            && (arguments.Length < 3 || int.TryParse(arguments[2], NumberStyles.None, CultureInfo.InvariantCulture, out rounds));
        if (!read || mebibytes < 1 || rounds < 1)
            return false;
        Console.WriteLine($"load average before: {File.ReadAllText("/proc/loadavg").Split(' ')[0]}\n");
        return true;
    }
}
