using System.Diagnostics.CodeAnalysis;
using System.Text;
using Blixard.Images.Manifests;
using Iroh.Blobs;

namespace Blixard.Images.Catalogue;

/// <summary>
/// The keys of a catalogue document: <c>image/NAME:TAG/</c> says what a name stands for, the newest entry of any author counts;
/// <c>holder/HASH</c> says that its author's node has all of an image, each author's entry counts. Whatever else is in the document is
/// left alone. No key is the beginning of another one: an entry takes the place of all its author's whose keys begin with its own, so that
/// without the last slash web:1 would take web:12 along.
/// </summary>
internal static class CatalogueKey
{
    /// <summary>What the keys of names begin with.</summary>
    public const string ImagePrefix = "image/";

    /// <summary>What the keys of holders begin with.</summary>
    public const string HolderPrefix = "holder/";

    /// <summary>The longest key that is looked at: the prefix, name, colon, tag and slash.</summary>
    public const int LengthMax = 6 + ImageName.LengthMax + 1 + ImageName.LengthMax + 1;

    // A tag has none.
    private const char End = '/';

    /// <summary>The key of a name.</summary>
    public static byte[] OfImage(string name, string tag) => Encoding.ASCII.GetBytes($"{ImagePrefix}{name}:{tag}{End}");

    /// <summary>The key under which nodes say that they have an image.</summary>
    public static byte[] OfHolder(BlobHash image) => Encoding.ASCII.GetBytes($"{HolderPrefix}{image}");

    /// <summary>Reads the key of a name. Never throws.</summary>
    public static bool TryReadImage(ReadOnlySpan<byte> key, [NotNullWhen(true)] out string? name, [NotNullWhen(true)] out string? tag)
    {
        name = tag = null;
        if (!TryReadText(key, ImagePrefix, out string? rest) || !rest.EndsWith(End) || rest.IndexOf(':', StringComparison.Ordinal) is not (> 0 and int colon))
            return false;
        (name, tag) = (rest[..colon], rest[(colon + 1)..^1]);
        return ImageName.Check(name) is null && ImageName.CheckTag(tag) is null;
    }

    /// <summary>Reads the key of holders. Never throws.</summary>
    public static bool TryReadHolder(ReadOnlySpan<byte> key, out BlobHash image)
    {
        image = default;
        return TryReadText(key, HolderPrefix, out string? rest) && BlobHash.TryParse(rest, out image) && rest.Length == 2 * BlobHash.Length;
    }

    private static bool TryReadText(ReadOnlySpan<byte> key, string prefix, [NotNullWhen(true)] out string? rest)
    {
        rest = null;
        if (key.Length > LengthMax || key.Length < prefix.Length || !Ascii.IsValid(key))
            return false;
        string text = Encoding.ASCII.GetString(key);
        if (!text.StartsWith(prefix, StringComparison.Ordinal))
            return false;
        rest = text[prefix.Length..];
        return true;
    }
}
