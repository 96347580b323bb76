using System.Text;

namespace Blixard.Containers;

/// <summary>
/// File names and other texts of Linux are bytes, not necessarily UTF-8. Here they are strings with one character a byte (0 to 255), which
/// keeps them exact, and their ordinal order is that of the bytes.
/// </summary>
internal static class ByteText
{
    /// <summary>The text of bytes.</summary>
    public static string From(ReadOnlySpan<byte> bytes) => Encoding.Latin1.GetString(bytes);

    /// <summary>The text of an ordinary string, as UTF-8.</summary>
    public static string FromUnicode(string text) => From(Encoding.UTF8.GetBytes(text));

    /// <summary>The bytes of a text.</summary>
    public static byte[] ToBytes(string text) => Encoding.Latin1.GetBytes(text);

    /// <summary>As people read it: UTF-8 decoded, what does not print shown by number, at most 200 characters.</summary>
    public static string Show(string text)
    {
        const int ShownMax = 200;
        var shown = new StringBuilder();
        foreach (Rune rune in Encoding.UTF8.GetString(ToBytes(text.Length > ShownMax ? text[..ShownMax] : text)).EnumerateRunes())
        {
            if (Rune.IsControl(rune) || rune.Value is 0x2028 or 0x2029 or (>= 0x202A and <= 0x202E) or (>= 0x2066 and <= 0x2069))
                shown.Append("\\x").Append(rune.Value.ToString("x2"));
            else
                shown.Append(rune);
        }

        return text.Length > ShownMax ? shown + "…" : shown.ToString();
    }
}
