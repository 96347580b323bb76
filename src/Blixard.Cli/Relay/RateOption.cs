using System.Globalization;
using Iroh.Relay.Server;

namespace Blixard.Cli.Relay;

/// <summary>Reads <c>--rate</c>.</summary>
internal static class RateOption
{
    /// <summary>Reads a rate and, after a colon, a burst; each a number that K, M or G multiplies by powers of 1024.</summary>
    /// <exception cref="CommandException">It is not that.</exception>
    public static ReceiveLimit Parse(string text)
    {
        string[] parts = text.Split(':');
        return parts.Length <= 2
            && TryParseBytes(parts[0], out long rate)
            && (parts.Length == 1 || TryParseBytes(parts[1], out _))
            ? new ReceiveLimit(rate, parts.Length == 2 && TryParseBytes(parts[1], out long burst) ? burst : null)
            : throw new CommandException(
                ExitCode.Usage, $"--rate takes bytes a second, such as 512K or 10M, and after a colon how many at once, such as 10M:1M; '{text}' is not that.");
    }

    private static bool TryParseBytes(string text, out long bytes)
    {
        const long Kibi = 1024;
        bytes = 0;
        if (text.Length == 0)
            return false;
        long unit = char.ToUpperInvariant(text[^1]) switch { 'K' => Kibi, 'M' => Kibi * Kibi, 'G' => Kibi * Kibi * Kibi, _ => 1 };
        string digits = unit == 1 ? text : text[..^1];
        if (!long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out long number) || number < 1 || number > long.MaxValue / unit)
            return false;
        bytes = number * unit;
        return true;
    }
}
