using System.Globalization;

namespace Blixard.Testing.Chaos;

/// <summary>What happened in one fault of a case.</summary>
/// <param name="Case">The case.</param>
/// <param name="Fault">What was done to the cluster.</param>
/// <param name="StoodStill">How long no write was acknowledged by anybody, at most, between the fault and the end of its observation.</param>
/// <param name="Observed">How long it was observed.</param>
/// <param name="Note">What else was seen; may be empty.</param>
public sealed record ChaosLine(string Case, string Fault, TimeSpan StoodStill, TimeSpan Observed, string Note)
{
    /// <summary>As a line for people.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Case}: {Fault}: writes stood still for {StoodStill.TotalMilliseconds:0} ms (observed {Observed.TotalSeconds:0.0} s){(Note.Length > 0 ? "; " + Note : "")}");
}

/// <summary>Collects what happened and prints it as it comes. Thread-safe.</summary>
/// <param name="write">Takes each line.</param>
public sealed class ChaosReport(Action<string> write)
{
    private readonly Lock _lock = new();
    private readonly List<ChaosLine> _lines = [];

    /// <summary>All lines so far.</summary>
    public IReadOnlyList<ChaosLine> Lines
    {
        get
        {
            lock (_lock)
                return [.. _lines];
        }
    }

    /// <summary>Adds a line and prints it.</summary>
    public void Add(ChaosLine line)
    {
        lock (_lock)
        {
            _lines.Add(line);
            write(line.ToString());
        }
    }

    /// <summary>Prints something that is no fault.</summary>
    public void Say(string text)
    {
        lock (_lock)
            write(text);
    }
}
