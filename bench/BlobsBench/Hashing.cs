using System.Diagnostics;
using System.Globalization;
using Iroh.Blobs;
using Iroh.Blobs.Bao;
using Iroh.Cryptography;

namespace BlobsBench;

/// <summary>One thread of our BLAKE3 beside one thread of b3sum, in turns, best of several rounds each.</summary>
internal static class Hashing
{
    private const int OwnFileLength = 1 << 30;
    private const int PartLength = 1 << 18;

    public static int Run(string? path, int rounds)
    {
        string? own = path is null ? CreateFile() : null;
        try
        {
            return Compare(path ?? own!, rounds);
        }
        finally
        {
            if (own is not null)
                File.Delete(own);
        }
    }

    private static int Compare(string path, int rounds)
    {
        long length = new FileInfo(path).Length;
        var cases = new List<Case>
        {
            new("b3sum, mapped", () => RunB3sum(path, "--num-threads", "1")),
            new("b3sum, read", () => RunB3sum(path, "--num-threads", "1", "--no-mmap")),
        };
        if (length <= Array.MaxLength)
        {
            byte[] content = File.ReadAllBytes(path);
            cases.Add(new("ours, in memory", () => Measure(() => BlobHash.Of(content))));
        }

        cases.Add(new("ours, read", () => Measure(() => HashFile(path))));
        cases.Add(new("ours, read, with outboard", () => Measure(() => BuildOutboard(path))));
        for (int round = 0; round < rounds; round++)
        {
            foreach (Case each in cases)
                each.Take();
        }

        if (cases.Select(each => each.Hash).Distinct().Count() != 1)
        {
            Console.Error.WriteLine($"the hashes differ: {string.Join(", ", cases.Select(each => $"{each.Name} {each.Hash}"))}");
            return 1;
        }

        Console.WriteLine($"{length} bytes, best of {rounds}; GB/s of time on the clock, and of processor time with its share of the first line's\n");
        Console.WriteLine("| | clock | processor | share |\n|---|---|---|---|");
        foreach (Case each in cases)
        {
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"| {each.Name} | {length / each.Clock.TotalSeconds / 1e9:0.00} | {length / each.Processor.TotalSeconds / 1e9:0.00} | {cases[0].Processor / each.Processor:0.00} |"));
        }

        return 0;
    }

    private static string CreateFile()
    {
        string path = Path.Combine(Path.GetTempPath(), $"blobs-bench-{Environment.ProcessId}");
        using FileStream file = File.Create(path);
        var random = new SeededRandomSource(1);
        var part = new byte[PartLength];
        random.Fill(part);
        for (int i = 0; i < OwnFileLength / PartLength; i++)
        {
            part[0] = (byte)i;
            file.Write(part);
        }

        return path;
    }

    private static BlobHash HashFile(string path)
    {
        var hasher = new Blake3Hasher();
        ReadParts(path, hasher.Update);
        var hash = new byte[BlobHash.Length];
        hasher.Finish(hash);
        return new BlobHash(hash);
    }

    private static BlobHash BuildOutboard(string path)
    {
        var builder = new OutboardBuilder();
        ReadParts(path, builder.Update);
        return builder.Finish();
    }

    private static void ReadParts(string path, Action<ReadOnlySpan<byte>> take)
    {
        using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        var part = new byte[PartLength];
        for (int read; (read = file.Read(part)) > 0;)
            take(part.AsSpan(0, read));
    }

    private static Result Measure(Func<BlobHash> hash)
    {
        using Process self = Process.GetCurrentProcess();
        TimeSpan before = self.TotalProcessorTime;
        long start = Stopwatch.GetTimestamp();
        string text = hash().ToString();
        TimeSpan clock = Stopwatch.GetElapsedTime(start);
        self.Refresh();
        return new Result(text, clock, self.TotalProcessorTime - before);
    }

    private static Result RunB3sum(string path, params string[] options)
    {
        TimeSpan before = ChildrenTime();
        long start = Stopwatch.GetTimestamp();
        using Process process = Process.Start(new ProcessStartInfo("b3sum", [.. options, "--no-names", path]) { RedirectStandardOutput = true })!;
        string text = process.StandardOutput.ReadToEnd().Trim();
        process.WaitForExit();
        return new Result(text, Stopwatch.GetElapsedTime(start), ChildrenTime() - before);
    }

    // Processor time of children that have ended: fields 16 and 17 of the process's stat, in hundredths of a second.
    private static TimeSpan ChildrenTime()
    {
        string stat = File.ReadAllText("/proc/self/stat");
        string[] fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return 10 * TimeSpan.FromMilliseconds(
            long.Parse(fields[13], CultureInfo.InvariantCulture) + long.Parse(fields[14], CultureInfo.InvariantCulture));
    }

    private readonly record struct Result(string Hash, TimeSpan Clock, TimeSpan Processor);

    private sealed class Case(string name, Func<Result> run)
    {
        public string Name => name;

        public string Hash { get; private set; } = "";

        public TimeSpan Clock { get; private set; } = TimeSpan.MaxValue;

        public TimeSpan Processor { get; private set; } = TimeSpan.MaxValue;

        public void Take()
        {
            Result result = run();
            Hash = result.Hash;
            Clock = result.Clock < Clock ? result.Clock : Clock;
            Processor = result.Processor < Processor ? result.Processor : Processor;
        }
    }
}
