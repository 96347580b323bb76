using System.Diagnostics.CodeAnalysis;
using Iroh.Blobs;

namespace Blixard.Images.Manifests;

/// <summary>
/// What an image consists of. Its canonical bytes (<see cref="ToBytes"/>) are stored and sent like any other content, and their BLAKE3
/// hash is the image's identity. Immutable and always valid: <see cref="Create"/> and <see cref="TryRead"/> check the same rules.
/// </summary>
public sealed class ImageManifest
{
    /// <summary>The longest manifest in bytes: 16 parts and 32 labels of the longest fit, and nobody can make a node read more.</summary>
    public const int LengthMax = 64 * 1024;

    /// <summary>The largest part in bytes, 256 GiB: no disk of a microVM is larger, and sums of sizes stay far from overflow.</summary>
    public const long PartSizeMax = 1L << 38;

    /// <summary>The most parts: a kernel, an initramfs and fourteen disks, which the microvm machine has slots for.</summary>
    public const int PartsMax = 16;

    /// <summary>The longest kernel command line in bytes: COMMAND_LINE_SIZE of Linux on x86 is 2048, less what the driver adds.</summary>
    public const int KernelArgumentsLengthMax = 1536;

    /// <summary>The most labels: they are for sorting and choosing, not for storing.</summary>
    public const int LabelsMax = 32;

    /// <summary>The longest key or value of a label in characters.</summary>
    public const int LabelLengthMax = 128;

    /// <summary>The longest file name in characters, as file systems have it.</summary>
    public const int FileNameLengthMax = 255;

    private readonly byte[] _bytes;

    private ImageManifest(ManifestContent content, byte[] bytes)
    {
        Content = content;
        _bytes = bytes;
        Hash = BlobHash.Of(bytes);
    }

    /// <summary>The image's identity: the hash of <see cref="ToBytes"/>.</summary>
    public BlobHash Hash { get; }

    /// <summary>The image's name when it was packed; the catalogue may know it by others.</summary>
    public string Name => Content.Name;

    /// <summary>The tag it was packed with.</summary>
    public string Tag => Content.Tag;

    /// <summary>What the image was made from.</summary>
    public ManifestKind Kind => Content.Kind;

    /// <summary>"x86_64" or "aarch64".</summary>
    public string Architecture => Content.Architecture;

    /// <summary>The kernel command line it brings: printable ASCII, perhaps empty.</summary>
    public string KernelArguments => Content.KernelArguments;

    /// <summary>When it was packed, in whole seconds of UTC.</summary>
    public DateTimeOffset Created => Content.Created;

    /// <summary>Free keys and values, ordered by key.</summary>
    public IReadOnlyDictionary<string, string> Labels => Content.Labels;

    /// <summary>The kernel, then the initramfs if there is one, then the disks.</summary>
    public IReadOnlyList<ManifestPart> Parts => Content.Parts;

    /// <summary>The sum of the parts' sizes in bytes.</summary>
    public long TotalSize => Content.Parts.Sum(static part => part.Size);

    /// <summary>Length of the canonical bytes.</summary>
    public int Length => _bytes.Length;

    private ManifestContent Content { get; }

    /// <summary>Makes a manifest.</summary>
    /// <exception cref="InvalidManifestException">The content breaks a rule; the text says which.</exception>
    public static ImageManifest Create(ManifestContent content)
    {
        ArgumentNullException.ThrowIfNull(content);
        if (Check(content) is { } wrong)
            throw new InvalidManifestException(wrong);
        byte[] bytes = ManifestCodec.Write(content);
        if (bytes.Length > LengthMax)
            throw new InvalidManifestException($"the manifest has {bytes.Length} bytes; {LengthMax} are possible");
        return new ImageManifest(content, bytes);
    }

    /// <summary>
    /// Reads a manifest. Never throws, whatever the bytes. Refused besides broken rules: unknown, missing and repeated members, and any
    /// form but the canonical one, so that an image has one manifest and one hash.
    /// </summary>
    /// <param name="bytes">What came or was stored.</param>
    /// <param name="manifest">The manifest, when the result is true.</param>
    /// <param name="error">What is wrong, for people, when the result is false.</param>
    public static bool TryRead(
        ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out ImageManifest? manifest, [NotNullWhen(false)] out string? error)
    {
        manifest = null;
        if (bytes.Length > LengthMax)
        {
            error = $"the manifest has {bytes.Length} bytes; {LengthMax} are possible";
            return false;
        }

        if (!ManifestCodec.TryRead(bytes, out ManifestContent? content, out error))
            return false;
        error = Check(content);
        if (error is not null)
            return false;
        byte[] canonical = ManifestCodec.Write(content);
        if (!bytes.SequenceEqual(canonical))
        {
            error = "the manifest is not in canonical form";
            return false;
        }

        manifest = new ImageManifest(content, canonical);
        return true;
    }

    /// <summary>A copy of the canonical bytes.</summary>
    public byte[] ToBytes() => [.. _bytes];

    /// <summary>Says what is wrong with a part's file name, or null: 1 to <see cref="FileNameLengthMax"/> characters of A-Z, a-z, 0-9, '.',
    /// '_', '-' and '+', the first of them not '.'.</summary>
    public static string? CheckFileName(string? fileName)
    {
        if (string.IsNullOrEmpty(fileName))
            return "a part has no file name";
        if (fileName.Length > FileNameLengthMax)
            return $"a file name has {fileName.Length} characters; {FileNameLengthMax} are possible";
        if (fileName[0] == '.')
            return "a file name begins with '.'";
        foreach (char c in fileName)
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('.' or '_' or '-' or '+'))
                return $"a file name holds {ImageName.Shown(c)}; it may hold A-Z, a-z, 0-9, '.', '_', '-' and '+'";
        return null;
    }

    /// <summary>Says what is wrong with labels, or null: at most <see cref="LabelsMax"/>, keys and values of at most
    /// <see cref="LabelLengthMax"/> characters of printable ASCII, no key empty.</summary>
    public static string? CheckLabels(IReadOnlyDictionary<string, string> labels)
    {
        ArgumentNullException.ThrowIfNull(labels);
        if (labels.Count > LabelsMax)
            return $"there are {labels.Count} labels; {LabelsMax} are possible";
        foreach ((string key, string value) in labels)
        {
            if (key.Length == 0)
                return "a label has no key";
            if ((CheckText("a label's key", key, LabelLengthMax) ?? CheckText($"the label {key}", value, LabelLengthMax)) is { } wrong)
                return wrong;
        }
        return null;
    }

    private static string? Check(ManifestContent content) =>
        ImageName.Check(content.Name)
        ?? ImageName.CheckTag(content.Tag)
        ?? (content.Architecture is "x86_64" or "aarch64" ? null : "the architecture is neither x86_64 nor aarch64")
        ?? CheckText("the kernel command line", content.KernelArguments, KernelArgumentsLengthMax)
        ?? CheckCreated(content.Created)
        ?? CheckLabels(content.Labels)
        ?? CheckParts(content.Parts);

    private static string? CheckCreated(DateTimeOffset created) =>
        created.Offset != TimeSpan.Zero || created.Ticks % TimeSpan.TicksPerSecond != 0
            ? "the time of creation is not in whole seconds of UTC"
            : null;

    private static string? CheckText(string what, string text, int lengthMax)
    {
        if (text.Length > lengthMax)
            return $"{what} has {text.Length} characters; {lengthMax} are possible";
        foreach (char c in text)
            if (c is < ' ' or > '~')
                return $"{what} holds {ImageName.Shown(c)}; it may hold printable ASCII";
        return null;
    }

    private static string? CheckParts(IReadOnlyList<ManifestPart> parts)
    {
        if (parts.Count > PartsMax)
            return $"the image has {parts.Count} parts; {PartsMax} are possible";
        if (parts.Count == 0 || parts[0].Kind != ManifestPartKind.Kernel)
            return "the first part is not a kernel";
        var names = new HashSet<string>(StringComparer.Ordinal);
        for (int i = 0; i < parts.Count; i++)
        {
            ManifestPart part = parts[i];
            if (CheckFileName(part.FileName) is { } wrong)
                return wrong;
            if (!names.Add(part.FileName))
                return $"two parts are called {part.FileName}";
            if (part.Size is < 1 or > PartSizeMax)
                return $"{part.FileName} has {part.Size} bytes; 1 to {PartSizeMax} are possible";
            if (i > 0 && !(part.Kind > parts[i - 1].Kind || part.Kind == ManifestPartKind.Disk))
                return "the parts are not one kernel, at most one initramfs, then disks";
        }
        return null;
    }
}
