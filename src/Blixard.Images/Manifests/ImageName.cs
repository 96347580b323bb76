namespace Blixard.Images.Manifests;

/// <summary>The rules for names, tags and the other texts of an image, as proto/blixard/v1/image.proto states them.</summary>
public static class ImageName
{
    /// <summary>The tag that is meant when none is said.</summary>
    public const string DefaultTag = "latest";

    /// <summary>The longest name and the longest tag in characters.</summary>
    public const int LengthMax = 128;

    /// <summary>Says what is wrong with a name, or null: 1 to <see cref="LengthMax"/> characters of a-z, 0-9, '.', '_', '-' and '/', and
    /// not 64 hexadecimal digits, which are a hash wherever an image is named.</summary>
    public static string? Check(string? name)
    {
        if (string.IsNullOrEmpty(name))
            return "an image needs a name";
        if (name.Length > LengthMax)
            return $"the image's name has {name.Length} characters; {LengthMax} are possible";
        foreach (char c in name)
            if (c is not ((>= 'a' and <= 'z') or (>= '0' and <= '9') or '.' or '_' or '-' or '/'))
                return $"the image's name holds {Shown(c)}; it may hold a-z, 0-9, '.', '_', '-' and '/'";
        return ImageReference.TryParseHash(name, out _) ? "the image's name is 64 hexadecimal digits, which are a hash" : null;
    }

    /// <summary>Says what is wrong with a tag, or null: 1 to <see cref="LengthMax"/> characters of A-Z, a-z, 0-9, '.', '_' and '-'.</summary>
    public static string? CheckTag(string? tag)
    {
        if (string.IsNullOrEmpty(tag))
            return "the image's tag is empty";
        if (tag.Length > LengthMax)
            return $"the image's tag has {tag.Length} characters; {LengthMax} are possible";
        foreach (char c in tag)
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('.' or '_' or '-'))
                return $"the image's tag holds {Shown(c)}; it may hold A-Z, a-z, 0-9, '.', '_' and '-'";
        return null;
    }

    // What came may be anything: characters that do not print are shown by number.
    internal static string Shown(char c) => c is > ' ' and <= '~' ? $"'{c}'" : $"U+{(int)c:X4}";
}
