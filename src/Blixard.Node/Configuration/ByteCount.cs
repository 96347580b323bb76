using System.Globalization;

namespace Blixard.Node.Configuration;

/// <summary>Numbers of bytes as people write them.</summary>
public static class ByteCount
{
    private const string Units = "KMGT";

    /// <summary>Reads a whole number, which K, M, G or T multiplies by powers of 1024: <c>500M</c>, <c>10G</c>.</summary>
    /// <exception cref="FormatException">It is none, or none that 63 bits can hold; the message says so with the text.</exception>
    public static long Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        int unit = text.Length > 0 ? Units.IndexOf(char.ToUpperInvariant(text[^1]), StringComparison.Ordinal) : -1;
        int shift = 10 * (unit + 1);
        return long.TryParse(unit < 0 ? text : text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out long number) && number <= long.MaxValue >> shift
            ? number << shift
            : throw new FormatException($"'{text}' is no number of bytes, such as 500M or 10G.");
    }
}
