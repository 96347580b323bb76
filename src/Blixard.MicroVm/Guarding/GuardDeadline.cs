using System.Globalization;

namespace Blixard.MicroVm.Guarding;

/// <summary>Until when guarded VMs may run.</summary>
/// <param name="At">The moment at which the guard ends them, by <see cref="BootClock"/>; whole hundredths of a second count.</param>
/// <param name="Generation">Counts the times at which the right to run them was interrupted. A start that was allowed under another
/// number does not happen.</param>
public readonly record struct GuardDeadline(TimeSpan At, long Generation)
{
    // A number of 64 bits has at most 19 digits.
    private const int FieldLength = 20;

    /// <summary>
    /// The line in the file: the moment twice, the generation, the boot. Always as long, so that it is written over in place, on a full
    /// disk too; a reader that meets a half-written line sees two different moments.
    /// </summary>
    internal string Format(string bootId)
    {
        string moment = (At.Ticks / (TimeSpan.TicksPerSecond / 100)).ToString(CultureInfo.InvariantCulture).PadRight(FieldLength);
        return $"{moment} {moment} {Generation.ToString(CultureInfo.InvariantCulture).PadRight(FieldLength)} {bootId}\n";
    }

    /// <summary>Reads a line; false if it is none, or of another boot.</summary>
    internal static bool TryParse(string line, string bootId, out GuardDeadline deadline)
    {
        deadline = default;
        string[] fields = line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        if (fields.Length != 4 || fields[0] != fields[1] || fields[3] != bootId
            || !long.TryParse(fields[0], NumberStyles.None, CultureInfo.InvariantCulture, out long moment)
            || moment > TimeSpan.MaxValue.Ticks / (TimeSpan.TicksPerSecond / 100)
            || !long.TryParse(fields[2], NumberStyles.None, CultureInfo.InvariantCulture, out long generation))
            return false;
        deadline = new GuardDeadline(TimeSpan.FromTicks(moment * (TimeSpan.TicksPerSecond / 100)), generation);
        return true;
    }
}
