using System.Diagnostics.CodeAnalysis;
using Iroh.Base.Serialization;

namespace Iroh.Blobs;

/// <summary>Some content and what it is taken for: a blob alone, or a hash sequence together with its children.</summary>
/// <param name="Hash">The blob.</param>
/// <param name="Format">Whether the blob's children are meant, too.</param>
public readonly record struct HashAndFormat(BlobHash Hash, BlobFormat Format = BlobFormat.Raw)
{
    /// <summary>Bytes on the wire.</summary>
    public const int Length = BlobHash.Length + 1;

    private const char SequenceMark = 's';

    /// <summary>A blob alone.</summary>
    public static HashAndFormat Raw(BlobHash hash) => new(hash, BlobFormat.Raw);

    /// <summary>A hash sequence and its children.</summary>
    public static HashAndFormat HashSequence(BlobHash hash) => new(hash, BlobFormat.HashSequence);

    /// <summary>Reads what <see cref="ToString"/> writes; the mark may also be an upper-case <c>S</c>.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out HashAndFormat content)
    {
        ReadOnlySpan<char> rest = text;
        // The mark is told from a hash in base 32 by the length alone.
        bool marked = rest.Length == (2 * BlobHash.Length) + 1 && rest[0] is SequenceMark or 'S';
        bool parsed = BlobHash.TryParse(marked ? rest[1..] : rest, out BlobHash hash);
        content = parsed ? new HashAndFormat(hash, marked ? BlobFormat.HashSequence : BlobFormat.Raw) : default;
        return parsed;
    }

    /// <summary>Reads the hash and the format.</summary>
    public static bool TryRead(ref PostcardReader reader, out HashAndFormat content)
    {
        content = default;
        if (!reader.TryReadFixed(BlobHash.Length, out ReadOnlySpan<byte> hash)
            || !reader.TryReadUInt32(out uint format)
            || format > (uint)BlobFormat.HashSequence)
            return false;
        content = new HashAndFormat(new BlobHash(hash), (BlobFormat)format);
        return true;
    }

    /// <summary>Writes the hash, then the format: <see cref="Length"/> bytes.</summary>
    public void Write(PostcardWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteFixed(Hash.ToArray());
        writer.WriteVarint((ulong)Format);
    }

    /// <summary>64 hexadecimal digits, with <c>s</c> before them for a hash sequence.</summary>
    public override string ToString() => Format == BlobFormat.HashSequence ? SequenceMark + Hash.ToString() : Hash.ToString();
}
