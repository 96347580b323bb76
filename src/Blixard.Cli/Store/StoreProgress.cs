using Blixard.Cli.Output;

namespace Blixard.Cli.Store;

/// <summary>Says on stderr how many keys or changes of a store are done: nothing for a small one, now and then for a big one.</summary>
internal sealed class StoreProgress(string what, CommandOutput output, TextWriter writer) : IProgress<long>
{
    // Some seconds of work: whoever waits longer wants to know that it goes on.
    private const long Step = 20_000;

    /// <inheritdoc/>
    public void Report(long value)
    {
        if (!output.IsJson && value > 0 && value % Step == 0)
            writer.WriteLine($"{what}: {value}");
    }
}
