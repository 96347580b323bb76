namespace Blixard.Testing.Chaos;

/// <summary>How a write or read ended.</summary>
public enum Outcome
{
    /// <summary>It was carried out.</summary>
    Done,
    /// <summary>It was answered and not carried out: a comparison failed.</summary>
    Refused,
    /// <summary>It surely was not carried out: no store took it.</summary>
    NotTaken,
    /// <summary>Nobody answered: it may have been carried out, or may yet be.</summary>
    Unknown,
}

/// <summary>One entry that a client appended to the sequence.</summary>
/// <param name="Key">Its key, which nobody else writes.</param>
/// <param name="Value">Its value.</param>
/// <param name="Outcome">How it ended.</param>
/// <param name="At">When it was answered or given up, on the workload's clock.</param>
public sealed record Append(string Key, string Value, Outcome Outcome, TimeSpan At);

/// <summary>How clients behave.</summary>
public sealed record WorkloadOptions
{
    /// <summary>How long a client rests between two steps: with four clients at most 80 steps a second, which two cores carry beside a
    /// cluster, and gaps are seen to some ten milliseconds.</summary>
    public TimeSpan Rest { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>How many registers the clients share: few, so that they meet.</summary>
    public int Registers { get; init; } = 3;

    /// <summary>When a client gives a step up and goes on. Longer than a store takes to turn to another server.</summary>
    public TimeSpan StepLimit { get; init; } = TimeSpan.FromSeconds(10);
}
