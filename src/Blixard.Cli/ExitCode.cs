namespace Blixard.Cli;

/// <summary>What the program ends with; scripts rely on it.</summary>
internal enum ExitCode
{
    /// <summary>What was asked for is done.</summary>
    Done = 0,

    /// <summary>It failed.</summary>
    Failed = 1,

    /// <summary>The command line makes no sense.</summary>
    Usage = 2,

    /// <summary>Somebody could not be reached, or did not answer in time.</summary>
    Unreachable = 3,

    /// <summary>Somebody was reached and refused.</summary>
    Refused = 4,
}
