using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace Blixard.Containers.Archives;

/// <summary>The records of pax extended headers that matter here (POSIX.1-2017, pax, "pax Extended Header"): <c>LENGTH KEY=VALUE\n</c>.</summary>
internal sealed class PaxRecords
{
    public string? Path { get; private set; }

    public string? LinkPath { get; private set; }

    public long? Size { get; private set; }

    public long? UserId { get; private set; }

    public long? GroupId { get; private set; }

    public (long Seconds, int Nanoseconds)? Modified { get; private set; }

    public ReadOnlyMemory<byte> Capabilities { get; private set; }

    public bool IsSparse { get; private set; }

    /// <summary>Reads records; later ones win.</summary>
    /// <exception cref="ContainerImageException">They are malformed.</exception>
    public void Read(ReadOnlySpan<byte> records, long position)
    {
        while (!records.IsEmpty)
        {
            if (!Utf8Parser.TryParse(records, out int length, out int digits) || digits + 1 >= length || length > records.Length
                || records[digits] != ' ' || records[length - 1] != '\n')
                throw Malformed(position, "a record's length");
            ReadOnlySpan<byte> record = records[(digits + 1)..(length - 1)];
            int equals = record.IndexOf((byte)'=');
            if (equals < 0)
                throw Malformed(position, "a record without '='");
            Accept(record[..equals], record[(equals + 1)..], position);
            records = records[length..];
        }
    }

    private void Accept(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, long position)
    {
        // Keys are ASCII; one that is not matches none of these.
        switch (Encoding.Latin1.GetString(key))
        {
            case "path":
                Path = Name(value, position);
                break;
            case "linkpath":
                LinkPath = Name(value, position);
                break;
            case "size":
                Size = Number(value, position);
                break;
            case "uid":
                UserId = Number(value, position);
                break;
            case "gid":
                GroupId = Number(value, position);
                break;
            case "mtime":
                Modified = Time(value, position);
                break;
            case "SCHILY.xattr.security.capability":
                Capabilities = value.ToArray();
                break;
            case string sparse when sparse.StartsWith("GNU.sparse.", StringComparison.Ordinal):
                IsSparse = true;
                break;
        }
    }

    private static string Name(ReadOnlySpan<byte> value, long position) =>
        value.Contains((byte)0) ? throw Malformed(position, "a name with a zero byte") : ByteText.From(value);

    private static long Number(ReadOnlySpan<byte> value, long position) =>
        Utf8Parser.TryParse(value, out long number, out int used) && used == value.Length && number >= 0
            ? number : throw Malformed(position, "a number");

    private static (long Seconds, int Nanoseconds) Time(ReadOnlySpan<byte> value, long position)
    {
        int dot = value.IndexOf((byte)'.');
        ReadOnlySpan<byte> whole = dot < 0 ? value : value[..dot];
        if (!Utf8Parser.TryParse(whole, out long seconds, out int used) || used != whole.Length)
            throw Malformed(position, "a time");
        string digits = dot < 0 ? "" : Encoding.Latin1.GetString(value[(dot + 1)..]);
        digits = digits.Length > 9 ? digits[..9] : digits.PadRight(9, '0');
        if (!int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int nanoseconds))
            throw Malformed(position, "a time");
        // -1.25 is 1.25 s before 1970: two seconds before, and 0.75 s on.
        return value[0] == '-' && nanoseconds > 0 ? (seconds - 1, 1_000_000_000 - nanoseconds) : (seconds, nanoseconds);
    }

    private static ContainerImageException Malformed(long position, string what) =>
        ContainerImageException.Malformed($"the tar archive is malformed at byte {position}: {what} in an extended header");
}
