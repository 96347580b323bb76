using System.Globalization;

namespace BlobsBench;

/// <summary>Measures what carries blobs: <c>BlobsBench blake3 [FILE] [ROUNDS]</c>, <c>BlobsBench store [FOLDER]
/// [MEBIBYTES]</c>. Prints tables in Markdown.</summary>
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
            && int.TryParse(arguments.Length > 2 ? arguments[2] : "1024", NumberStyles.None, CultureInfo.InvariantCulture, out int mebibytes)
            && mebibytes is > 0 and < 2048)
        {
            Console.WriteLine($"load average before: {File.ReadAllText("/proc/loadavg").Split(' ')[0]}\n");
            return await Storing.RunAsync(arguments.Length > 1 ? arguments[1] : Path.GetTempPath(), mebibytes);
        }

        Console.Error.WriteLine("usage: BlobsBench blake3 [FILE] [ROUNDS] | store [FOLDER] [MEBIBYTES]");
        return 2;
    }
}
