namespace Blixard.Cli.Output;

/// <summary>One line that shows how far something is. On a terminal it is drawn over itself; elsewhere each tenth is a line of its own.</summary>
internal sealed class ProgressLine(TextWriter writer, bool isTerminal) : IAsyncDisposable
{
    private const int BarWidth = 24;

    private (string What, ulong Tenth) _shown = ("", ulong.MaxValue);
    private bool _isOpen;

    /// <summary>Shows a state; cheap if nothing visible has changed.</summary>
    /// <param name="what">What is being done.</param>
    /// <param name="done">Bytes that are done.</param>
    /// <param name="total">Bytes in all, 0 if that is not known.</param>
    /// <param name="perSecond">Bytes a second, 0 if that is not known.</param>
    public void Show(string what, ulong done, ulong total, ulong perSecond)
    {
        if (total == 0)
            return;
        string rate = perSecond > 0 ? $"  {HumanText.Bytes(perSecond)}/s" : "";
        string share = $"{done * 100 / total,3} % of {HumanText.Bytes(total)}{rate}";
        if (isTerminal)
        {
            int filled = (int)Math.Min(BarWidth, done * BarWidth / total);
            writer.Write($"\r[{new string('#', filled)}{new string('.', BarWidth - filled)}] {share}  {what}\u001b[K");
            _isOpen = true;
            return;
        }

        (string, ulong) state = (what, done * 10 / total);
        if (state == _shown)
            return;
        _shown = state;
        writer.WriteLine($"{share}  {what}".Trim());
    }

    /// <summary>Ends the line.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_isOpen)
            await writer.WriteLineAsync().ConfigureAwait(false);
    }
}
