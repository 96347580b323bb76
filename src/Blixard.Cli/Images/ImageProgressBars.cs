using Blixard.Cli.Output;
using Blixard.V1;

namespace Blixard.Cli.Images;

/// <summary>How far an image is. On a terminal a bar for the whole and one for each source, drawn over themselves; elsewhere a line for each
/// tenth.</summary>
internal sealed class ImageProgressBars(TextWriter writer, bool isTerminal) : IDisposable
{
    private const int BarWidth = 24;

    // More do not fit on a screen; the fastest are shown.
    private const int SourcesShownMax = 8;

    private (string Part, ulong Tenth) _shown = ("", ulong.MaxValue);
    private int _lines;

    /// <summary>Shows a state; cheap if nothing visible has changed.</summary>
    public void Show(ImageProgress progress)
    {
        // The last answer carries the image; all parts were shown before.
        if (progress.Part.Length == 0 || progress.TotalBytes == 0)
            return;
        string rate = progress.BytesPerSecond > 0 ? $"  {HumanText.Bytes(progress.BytesPerSecond)}/s" : "";
        string share = $"{progress.DoneBytes * 100 / progress.TotalBytes,3} % of {HumanText.Bytes(progress.TotalBytes)}{rate}";
        if (isTerminal)
        {
            Draw([$"[{Bar(progress.DoneBytes, progress.TotalBytes)}] {share}  {progress.Part}", .. SourceLines(progress)]);
            return;
        }

        (string, ulong) state = (progress.Part, progress.DoneBytes * 10 / progress.TotalBytes);
        if (state == _shown)
            return;
        _shown = state;
        string[] senders = [.. progress.Sources.Where(source => source.Trouble.Length == 0 && source.Bytes > 0).Select(source => source.Name)];
        writer.WriteLine($"{share}  {progress.Part}{(senders.Length > 0 ? $" from {string.Join(", ", senders)}" : "")}".Trim());
    }

    /// <summary>Ends what was drawn.</summary>
    public void Dispose() => writer.Flush();

    private static string Bar(ulong done, ulong total)
    {
        int filled = (int)Math.Min(BarWidth, done * BarWidth / total);
        return new string('#', filled) + new string('.', BarWidth - filled);
    }

    // A source's bar is its part of what all have sent.
    private static IEnumerable<string> SourceLines(ImageProgress progress)
    {
        ulong sent = Math.Max(1, progress.Sources.Aggregate(0UL, static (sum, source) => sum + source.Bytes));
        return progress.Sources.OrderByDescending(static source => source.Bytes).Take(SourcesShownMax).Select(source =>
            source.Trouble.Length > 0
                ? $"  {source.Name}: {source.Trouble}"
                : $"  [{Bar(source.Bytes, sent)}] {HumanText.Bytes(source.Bytes),10}  {HumanText.Bytes(source.BytesPerSecond)}/s  {source.Name}");
    }

    private void Draw(IReadOnlyList<string> lines)
    {
        // Up over what was drawn before, and each line anew; what is left below goes. A line that wraps would spoil the count.
        int width = Math.Max(20, Console.WindowWidth - 1);
        if (_lines > 0)
            writer.Write($"\u001b[{_lines}A");
        foreach (string line in lines)
            writer.Write($"\r{(line.Length > width ? line[..width] : line)}\u001b[K\n");
        writer.Write("\u001b[J");
        _lines = lines.Count;
    }
}
