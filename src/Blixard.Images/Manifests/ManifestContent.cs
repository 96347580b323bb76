namespace Blixard.Images.Manifests;

/// <summary>The values of a manifest, not yet checked; <see cref="ImageManifest"/> says their rules.</summary>
public sealed record ManifestContent
{
    /// <summary>See <see cref="ImageName.Check"/>.</summary>
    public required string Name { get; init; }

    /// <summary>See <see cref="ImageName.CheckTag"/>.</summary>
    public required string Tag { get; init; }

    /// <summary>What the image was made from.</summary>
    public ManifestKind Kind { get; init; }

    /// <summary>"x86_64" or "aarch64".</summary>
    public required string Architecture { get; init; }

    /// <summary>The kernel command line, at most <see cref="ImageManifest.KernelArgumentsLengthMax"/> printable ASCII characters.</summary>
    public string KernelArguments { get; init; } = "";

    /// <summary>In whole seconds of UTC.</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>At most <see cref="ImageManifest.LabelsMax"/>.</summary>
    public SortedDictionary<string, string> Labels { get; init; } = new(StringComparer.Ordinal);

    /// <summary>One kernel, at most one initramfs, then disks; at most <see cref="ImageManifest.PartsMax"/> together.</summary>
    public required IReadOnlyList<ManifestPart> Parts { get; init; }
}

/// <summary>An image's manifest breaks a rule.</summary>
public sealed class InvalidManifestException(string message) : ImageException(message);
