using System.Diagnostics;

namespace Blixard.Cli.Net.Bench;

/// <summary>Counts what arrives on one or several byte streams within a while.</summary>
internal static class Goodput
{
    /// <summary>What one write or read moves: large enough that calls cost nothing beside the bytes.</summary>
    public const int ChunkLength = 256 * 1024;

    // Congestion windows, MTU search and just-in-time compilation settle before counting starts.
    private static readonly TimeSpan s_warmUp = TimeSpan.FromSeconds(1);

    /// <summary>Gbit/s of application bytes that arrive while writers write as fast as they can.</summary>
    public static async Task<double> MeasureAsync(
        IReadOnlyList<(Stream Writer, Stream Reader)> pairs, TimeSpan duration, CancellationToken cancellationToken)
    {
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        long[] counts = new long[pairs.Count];
        Task[] tasks =
        [
            .. pairs.Select(pair => Task.Run(() => WriteAsync(pair.Writer, stopping.Token), CancellationToken.None)),
            .. pairs.Select((pair, i) => Task.Run(() => ReadAsync(pair.Reader, counts, i, stopping.Token), CancellationToken.None)),
        ];
        await Task.Delay(s_warmUp, cancellationToken).ConfigureAwait(false);
        long before = Total(counts);
        long start = Stopwatch.GetTimestamp();
        await Task.Delay(duration, cancellationToken).ConfigureAwait(false);
        long bytes = Total(counts) - before;
        TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
        await stopping.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(tasks).ConfigureAwait(false);
        return bytes * 8 / elapsed.TotalSeconds / 1e9;
    }

    private static long Total(long[] counts)
    {
        long sum = 0;
        for (int i = 0; i < counts.Length; i++)
            sum += Volatile.Read(ref counts[i]);
        return sum;
    }

    private static async Task WriteAsync(Stream stream, CancellationToken cancellationToken)
    {
        byte[] chunk = new byte[ChunkLength];
        try
        {
            while (true)
                await stream.WriteAsync(chunk, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException && cancellationToken.IsCancellationRequested)
        {
        }
    }

    private static async Task ReadAsync(Stream stream, long[] counts, int index, CancellationToken cancellationToken)
    {
        byte[] chunk = new byte[ChunkLength];
        try
        {
            while (await stream.ReadAsync(chunk, cancellationToken).ConfigureAwait(false) is > 0 and var read)
                Volatile.Write(ref counts[index], counts[index] + read);
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException && cancellationToken.IsCancellationRequested)
        {
        }
    }
}
