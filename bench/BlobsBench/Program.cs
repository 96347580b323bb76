using System.Globalization;

namespace BlobsBench;

/// <summary>Measures what carries blobs: <c>BlobsBench blake3 [FILE] [ROUNDS]</c>. Prints tables in Markdown.</summary>
internal static class Program
{
    private static int Main(string[] arguments)
    {
        if (arguments is ["blake3", ..] && arguments.Length <= 3
            && int.TryParse(arguments.Length > 2 ? arguments[2] : "5", NumberStyles.None, CultureInfo.InvariantCulture, out int rounds)
            && rounds > 0)
        {
            Console.WriteLine($"load average before: {File.ReadAllText("/proc/loadavg").Split(' ')[0]}\n");
            return Hashing.Run(arguments.Length > 1 ? arguments[1] : null, rounds);
        }

        Console.Error.WriteLine("usage: BlobsBench blake3 [FILE] [ROUNDS]");
        return 2;
    }
}
