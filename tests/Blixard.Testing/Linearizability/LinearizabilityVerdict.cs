namespace Blixard.Testing.Linearizability;

/// <summary>What a check of a history found. Its text says so for people.</summary>
public abstract record LinearizabilityVerdict
{
    private LinearizabilityVerdict()
    {
    }

    /// <summary>There is an order in which one register after the other explains every answer.</summary>
    public sealed record Linearizable : LinearizabilityVerdict
    {
        /// <inheritdoc/>
        public override string ToString() => "linearizable";
    }

    /// <summary>There is none.</summary>
    /// <param name="Key">The register whose answers contradict each other.</param>
    /// <param name="Explained">The longest order that was found: all these answers can be explained.</param>
    /// <param name="Value">What the register would hold after them.</param>
    /// <param name="Stuck">Operations one of which would have to come next, and none can.</param>
    public sealed record Violation(
        string Key, IReadOnlyList<RegisterOperation> Explained, string? Value, IReadOnlyList<RegisterOperation> Stuck) : LinearizabilityVerdict
    {
        // The end of a long order is what matters.
        private const int ExplainedShownMax = 20;

        /// <inheritdoc/>
        public override string ToString() => string.Join(
            Environment.NewLine,
            [
                $"not linearizable: after {Explained.Count} operations on {Key}, the last of them these,",
                .. Explained.TakeLast(ExplainedShownMax).Select(operation => $"    {operation}"),
                $"it holds {Value ?? "nothing"}, and none of these can come next:",
                .. Stuck.Select(operation => $"    {operation}"),
            ]);
    }

    /// <summary>The limit was reached before an answer was found.</summary>
    /// <param name="Key">The register that was looked at.</param>
    /// <param name="States">How many states had been explored.</param>
    public sealed record Undecided(string Key, int States) : LinearizabilityVerdict
    {
        /// <inheritdoc/>
        public override string ToString() => $"undecided: {States} states of {Key} were explored without an answer";
    }
}
