namespace Blixard.Cli.Local;

/// <summary>Labels as they are written on the command line. Pure.</summary>
internal static class LabelText
{
    /// <summary>Reads KEY=VALUE, each key once.</summary>
    /// <exception cref="CommandException">One is none, or a key comes twice.</exception>
    public static Dictionary<string, string> Parse(IEnumerable<string>? texts)
    {
        var labels = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (string text in texts ?? [])
        {
            if (text.Split('=', 2) is not [{ Length: > 0 } key, var value])
                throw new CommandException(ExitCode.Usage, $"--label takes KEY=VALUE; '{text}' is not one.");
            if (!labels.TryAdd(key, value))
                throw new CommandException(ExitCode.Usage, $"--label says '{key}' twice.");
        }

        return labels;
    }

    /// <summary>Whether labels fulfil all conditions, each of which is KEY=VALUE, or KEY, which any value fulfils.</summary>
    public static bool Matches(IReadOnlyDictionary<string, string> labels, IEnumerable<string> conditions) => conditions.All(condition =>
    {
        string[] parts = condition.Split('=', 2);
        return labels.TryGetValue(parts[0], out string? value) && (parts.Length == 1 || parts[1] == value);
    });
}
