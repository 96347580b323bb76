using System.Diagnostics.CodeAnalysis;
using Blixard.Images.Manifests;
using Iroh.Blobs;

namespace Blixard.Images.Catalogue;

/// <summary>What a name of the catalogue stands for: the content of an entry <c>image/NAME:TAG/</c>. Immutable.</summary>
public sealed record CatalogueImage
{
    /// <summary>The longest entry in bytes: the labels of a manifest fit, and nobody can make a node fetch more for a name.</summary>
    public const int LengthMax = 16 * 1024;

    /// <summary>The most copies that can be wished for: no fleet has more nodes that take part.</summary>
    public const int CopiesMax = 1000;

    /// <summary>The longest name of the node that added it, in characters.</summary>
    public const int AddedByLengthMax = 128;

    /// <summary>The name that people use, by the rules of <see cref="ImageName.Check"/>.</summary>
    public required string Name { get; init; }

    /// <summary>The tag.</summary>
    public required string Tag { get; init; }

    /// <summary>The hash of the image's manifest: its identity.</summary>
    public required BlobHash Hash { get; init; }

    /// <summary>The hash of the collection of the manifest and all parts, which any program that speaks iroh's blobs can fetch.</summary>
    public required BlobHash Collection { get; init; }

    /// <summary>The sum of the parts in bytes.</summary>
    public required long SizeBytes { get; init; }

    /// <summary>What it was made from.</summary>
    public required ManifestKind Kind { get; init; }

    /// <summary>"x86_64" or "aarch64".</summary>
    public required string Architecture { get; init; }

    /// <summary>Free keys and values, as in the manifest.</summary>
    public SortedDictionary<string, string> Labels { get; init; } = new(StringComparer.Ordinal);

    /// <summary>The name of the node that added it.</summary>
    public required string AddedBy { get; init; }

    /// <summary>When it was added, in whole seconds of UTC.</summary>
    public required DateTimeOffset AddedAt { get; init; }

    /// <summary>On how many nodes it should be, at most <see cref="CopiesMax"/>; 0: wherever it is needed.</summary>
    public int Copies { get; init; }

    /// <summary>"name:tag".</summary>
    public string Reference => $"{Name}:{Tag}";

    /// <summary>Reads an entry's content. Never throws, whatever the bytes.</summary>
    /// <param name="bytes">What came or was stored.</param>
    /// <param name="image">The image, when the result is true.</param>
    /// <param name="error">What is wrong, for people, when the result is false.</param>
    public static bool TryRead(
        ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out CatalogueImage? image, [NotNullWhen(false)] out string? error) =>
        CatalogueCodec.TryReadImage(bytes, out image, out error);

    /// <summary>The entry's content.</summary>
    /// <exception cref="InvalidManifestException">It breaks a rule; the text says which.</exception>
    public byte[] ToBytes() => CatalogueCodec.Write(this);

    /// <summary>Says which rule it breaks, or null.</summary>
    internal string? Check() =>
        ImageName.Check(Name)
        ?? ImageName.CheckTag(Tag)
        ?? (Architecture is "x86_64" or "aarch64" ? null : "the architecture is neither x86_64 nor aarch64")
        ?? (SizeBytes > 0 ? null : $"the image has {SizeBytes} bytes")
        ?? (Copies is >= 0 and <= CopiesMax ? null : $"{Copies} copies are wished for; 0 to {CopiesMax} are possible")
        ?? (AddedBy.Length is > 0 and <= AddedByLengthMax && AddedBy.All(static c => c is > ' ' and <= '~')
            ? null : $"the node's name is not 1 to {AddedByLengthMax} characters of printable ASCII")
        ?? (AddedAt.Offset == TimeSpan.Zero && AddedAt.Ticks % TimeSpan.TicksPerSecond == 0 ? null : "the time is not in whole seconds of UTC")
        ?? ImageManifest.CheckLabels(Labels);
}
