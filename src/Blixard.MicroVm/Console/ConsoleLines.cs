using System.Text;

namespace Blixard.MicroVm.Console;

/// <summary>
/// Turns console bytes into lines for people: UTF-8 with replacement, terminal control sequences removed (ECMA-48 §5.4), other
/// control characters shown as \xNN. Feed it pieces of any size. One owner.
/// </summary>
public sealed class ConsoleLines
{
    /// <summary>A line longer than this many characters is cut into several: kernel lines are shorter, binary rubbish is not.</summary>
    public const int LineLengthMax = 4096;

    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();
    private readonly StringBuilder _line = new();
    private Escape _escape;

    private enum Escape
    {
        None,
        Started,
        Sequence,
        Text,
    }

    /// <summary>Adds the next bytes and appends each line that they complete to <paramref name="lines"/>, without its line end.</summary>
    public void Add(ReadOnlySpan<byte> bytes, ICollection<string> lines)
    {
        Span<char> chars = stackalloc char[256];
        while (!bytes.IsEmpty)
        {
            _decoder.Convert(bytes, chars, flush: false, out int used, out int made, out _);
            bytes = bytes[used..];
            foreach (char c in chars[..made])
                Add(c, lines);
        }
    }

    /// <summary>Takes what has come of the last line, or null if that is nothing.</summary>
    public string? TakeUnfinished()
    {
        if (_line.Length == 0)
            return null;
        string line = _line.ToString();
        _line.Clear();
        return line;
    }

    private void Add(char c, ICollection<string> lines)
    {
        if (IsInEscape(c))
            return;
        switch (c)
        {
            case '\n':
                lines.Add(_line.ToString());
                _line.Clear();
                return;
            case '\r':
                return;
            case '\u001b':
                _escape = Escape.Started;
                return;
            case '\t':
                _line.Append(c);
                break;
            default:
                if (char.IsControl(c))
                    _line.Append("\\x").Append(((int)c).ToString("x2", System.Globalization.CultureInfo.InvariantCulture));
                else
                    _line.Append(c);
                break;
        }

        if (_line.Length >= LineLengthMax)
        {
            lines.Add(_line.ToString());
            _line.Clear();
        }
    }

    private bool IsInEscape(char c)
    {
        // A line end closes every sequence: one that was cut off must not swallow the rest of the log.
        if (_escape == Escape.None || c == '\n')
        {
            _escape = Escape.None;
            return false;
        }

        _escape = _escape switch
        {
            Escape.Started when c == '[' => Escape.Sequence,
            Escape.Started when c is ']' or 'P' or '^' or '_' => Escape.Text,
            // nF sequences (intermediate bytes 0x20-0x2f) end with a final byte.
            Escape.Started when c is >= ' ' and <= '/' => Escape.Started,
            Escape.Started => Escape.None,
            Escape.Sequence => c is >= '@' and <= '~' ? Escape.None : Escape.Sequence,
            // Operating system commands end with BEL or with ESC \.
            _ => c == '\a' ? Escape.None : c == '\u001b' ? Escape.Started : Escape.Text,
        };
        return true;
    }
}
