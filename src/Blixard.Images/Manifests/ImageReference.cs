using System.Diagnostics.CodeAnalysis;
using Iroh.Blobs;

namespace Blixard.Images.Manifests;

/// <summary>How people name an image: "name:tag", "name" (its tag is <see cref="ImageName.DefaultTag"/>), or the 64 hexadecimal digits of
/// its hash. Immutable.</summary>
public sealed record ImageReference
{
    private ImageReference(string name, string tag, BlobHash? hash)
    {
        Name = name;
        Tag = tag;
        Hash = hash;
    }

    /// <summary>The name; empty when the image is named by hash.</summary>
    public string Name { get; }

    /// <summary>The tag; empty when the image is named by hash.</summary>
    public string Tag { get; }

    /// <summary>The hash, when the image is named by it.</summary>
    public BlobHash? Hash { get; }

    /// <summary>A reference by hash.</summary>
    public static ImageReference To(BlobHash hash) => new("", "", hash);

    /// <summary>Reads a reference. Never throws, whatever the text.</summary>
    /// <param name="text">What somebody typed or sent.</param>
    /// <param name="reference">The reference, when the result is true.</param>
    /// <param name="error">What is wrong, for people, when the result is false.</param>
    public static bool TryParse(
        string? text, [NotNullWhen(true)] out ImageReference? reference, [NotNullWhen(false)] out string? error)
    {
        reference = null;
        error = null;
        text ??= "";
        if (TryParseHash(text, out BlobHash hash))
        {
            reference = To(hash);
            return true;
        }

        int colon = text.IndexOf(':', StringComparison.Ordinal);
        string name = colon < 0 ? text : text[..colon];
        string tag = colon < 0 ? ImageName.DefaultTag : text[(colon + 1)..];
        error = ImageName.Check(name) ?? ImageName.CheckTag(tag);
        if (error is null)
            reference = new ImageReference(name, tag, null);
        return error is null;
    }

    /// <summary>Reads the hash of an image: 64 hexadecimal digits. Other forms of hashes are no images' names.</summary>
    public static bool TryParseHash(string? text, out BlobHash hash)
    {
        hash = default;
        return text?.Length == 2 * BlobHash.Length && BlobHash.TryParse(text, out hash);
    }

    /// <summary>"name:tag" or the hash: what <see cref="TryParse"/> reads.</summary>
    public override string ToString() => Hash is { } hash ? hash.ToString() : $"{Name}:{Tag}";
}
