using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;

namespace Iroh.Dns.Messages;

/// <summary>
/// A fully qualified name (RFC 1035 §3.1): labels of 1 to 63 bytes, at most 255 bytes with their length bytes and the root.
/// Letters keep their case; comparison ignores that of ASCII letters (RFC 4343). Immutable.
/// </summary>
public sealed class DomainName : IEquatable<DomainName>
{
    /// <summary>The most bytes of a label.</summary>
    public const int LabelLengthMax = 63;

    /// <summary>The most bytes of a name in its uncompressed wire form.</summary>
    public const int LengthMax = 255;

    // Wire form: each label behind its length, ended by the root's zero.
    private readonly byte[] _wire;

    private DomainName(byte[] wire) => _wire = wire;

    /// <summary>The name without labels.</summary>
    public static DomainName Root { get; } = new([0]);

    /// <summary>The uncompressed wire form, with the root's zero byte.</summary>
    public ReadOnlySpan<byte> Wire => _wire;

    /// <summary>Whether this is the root.</summary>
    public bool IsRoot => _wire.Length == 1;

    /// <summary>The bytes of the first label; empty for the root.</summary>
    public ReadOnlySpan<byte> FirstLabel => _wire.AsSpan(1, _wire[0]);

    /// <summary>The name without its first label; the root's is the root.</summary>
    public DomainName Parent => IsRoot ? this : new DomainName(_wire[(1 + _wire[0])..]);

    /// <summary>The number of labels, the root not counted; at most 127.</summary>
    public int LabelCount
    {
        get
        {
            int count = 0;
            for (int i = 0; _wire[i] != 0; i += 1 + _wire[i])
                count++;
            return count;
        }
    }

    /// <summary>Reads labels of ASCII separated by dots; a dot at the end may be left out. Escapes are not read.</summary>
    /// <exception cref="FormatException">A label is empty, too long or not printable ASCII, or the name is too long.</exception>
    public static DomainName Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return TryParse(text, out DomainName? name)
            ? name
            : throw new FormatException($"'{text}' is not a domain name: expected labels of 1 to {LabelLengthMax} ASCII characters separated by dots, {LengthMax - 2} characters at most.");
    }

    /// <summary>Reads what <see cref="Parse"/> reads, without throwing.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out DomainName? name)
    {
        ArgumentNullException.ThrowIfNull(text);
        name = null;
        if (text == ".")
        {
            name = Root;
            return true;
        }

        string trimmed = text.EndsWith('.') ? text[..^1] : text;
        if (trimmed.Length is 0 or > LengthMax - 2)
            return false;
        byte[] wire = new byte[trimmed.Length + 2];
        int lengthAt = 0;
        for (int i = 0; i <= trimmed.Length; i++)
        {
            if (i < trimmed.Length && trimmed[i] != '.')
            {
                if (trimmed[i] is <= ' ' or >= (char)127 or '\\')
                    return false;
                wire[i + 1] = (byte)trimmed[i];
                continue;
            }

            int length = i - lengthAt;
            if (length is 0 or > LabelLengthMax)
                return false;
            wire[lengthAt] = (byte)length;
            lengthAt = i + 1;
        }

        name = new DomainName(wire);
        return true;
    }

    /// <summary>The name one label below this one.</summary>
    /// <exception cref="ArgumentException">The label is empty or too long, or the name becomes too long.</exception>
    public DomainName Prepend(ReadOnlySpan<byte> label)
    {
        if (label.Length is 0 or > LabelLengthMax || label.Length + 1 + _wire.Length > LengthMax)
            throw new ArgumentException($"A label of {label.Length} bytes does not fit before a name of {_wire.Length}.", nameof(label));
        return new DomainName([(byte)label.Length, .. label, .. _wire]);
    }

    /// <summary>The name one ASCII label below this one.</summary>
    /// <inheritdoc cref="Prepend(ReadOnlySpan{byte})"/>
    public DomainName Prepend(string label) => Prepend(Encoding.ASCII.GetBytes(label));

    /// <summary>Replaces the last labels of this name, which are <paramref name="suffix"/>, by <paramref name="replacement"/>.</summary>
    /// <param name="suffix">The end that is replaced.</param>
    /// <param name="replacement">What takes its place.</param>
    /// <param name="name">The new name.</param>
    /// <returns>False if the name is not within <paramref name="suffix"/> or would become too long.</returns>
    public bool TryRebase(DomainName suffix, DomainName replacement, [NotNullWhen(true)] out DomainName? name)
    {
        ArgumentNullException.ThrowIfNull(suffix);
        ArgumentNullException.ThrowIfNull(replacement);
        int kept = _wire.Length - suffix._wire.Length;
        name = IsWithin(suffix) && kept + replacement._wire.Length <= LengthMax
            ? new DomainName([.. _wire.AsSpan(0, kept), .. replacement._wire])
            : null;
        return name is not null;
    }

    /// <summary>Whether this name is <paramref name="ancestor"/> or below it.</summary>
    public bool IsWithin(DomainName ancestor)
    {
        ArgumentNullException.ThrowIfNull(ancestor);
        int start = _wire.Length - ancestor._wire.Length;
        if (start < 0)
            return false;
        int position = 0;
        while (position < start)
            position += 1 + _wire[position];
        return position == start && EqualsIgnoreCase(_wire.AsSpan(start), ancestor._wire);
    }

    /// <inheritdoc/>
    public bool Equals(DomainName? other) => other is not null && EqualsIgnoreCase(_wire, other._wire);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as DomainName);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        foreach (byte value in _wire)
            hash.Add(ToLower(value));
        return hash.ToHashCode();
    }

    /// <summary>The labels with a dot behind each; bytes that are not printable, dots and backslashes are escaped (RFC 1035 §5.1).</summary>
    public override string ToString()
    {
        if (IsRoot)
            return ".";
        var text = new StringBuilder(_wire.Length);
        for (int i = 0; _wire[i] != 0; i += 1 + _wire[i])
        {
            foreach (byte value in _wire.AsSpan(i + 1, _wire[i]))
            {
                if (value is <= (byte)' ' or >= 127)
                    text.Append(CultureInfo.InvariantCulture, $"\\{value:D3}");
                else if (value is (byte)'.' or (byte)'\\')
                    text.Append('\\').Append((char)value);
                else
                    text.Append((char)value);
            }

            text.Append('.');
        }

        return text.ToString();
    }

    /// <summary>Takes over an uncompressed wire form that a reader has checked.</summary>
    internal static DomainName FromCheckedWire(ReadOnlySpan<byte> wire) => new(wire.ToArray());

    private static bool EqualsIgnoreCase(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        // Length bytes are at most 63: below the letters, so folding them changes nothing.
        if (left.Length != right.Length)
            return false;
        for (int i = 0; i < left.Length; i++)
        {
            if (ToLower(left[i]) != ToLower(right[i]))
                return false;
        }

        return true;
    }

    private static byte ToLower(byte value) => value is >= (byte)'A' and <= (byte)'Z' ? (byte)(value | 0x20) : value;
}
