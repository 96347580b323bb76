using System.CommandLine.Parsing;
using System.Globalization;

namespace Blixard.Cli.Cluster;

/// <summary>Reads durations as people type them: <c>90s</c>, <c>10m</c>, <c>1h</c>, <c>7d</c>.</summary>
internal static class DurationParser
{
    /// <summary>For options: adds an error and returns zero if the text is no duration.</summary>
    public static TimeSpan Parse(ArgumentResult result)
    {
        string text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
        if (TryParse(text, out TimeSpan duration))
            return duration;
        result.AddError($"'{text}' is not a duration: expected a number with s, m, h or d, such as 90s or 1h.");
        return TimeSpan.Zero;
    }

    public static bool TryParse(string text, out TimeSpan duration)
    {
        duration = TimeSpan.Zero;
        if (text.Length < 2
            || !double.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number)
            || number > 36_500)
            return false;
        TimeSpan? unit = text[^1] switch
        {
            's' => TimeSpan.FromSeconds(1),
            'm' => TimeSpan.FromMinutes(1),
            'h' => TimeSpan.FromHours(1),
            'd' => TimeSpan.FromDays(1),
            _ => null,
        };
        duration = (unit ?? TimeSpan.Zero) * number;
        return unit is not null;
    }
}
