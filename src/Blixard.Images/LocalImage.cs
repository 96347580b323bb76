using Blixard.Images.Manifests;
using Iroh.Blobs;

namespace Blixard.Images;

/// <summary>An image all of whose parts are on this machine. The files are read-only and shared: a VM that writes to a disk gets a copy or an
/// overlay. They stay while the image is in the store or <see cref="ImageStore.Pin"/> holds it.</summary>
/// <param name="Manifest">Its manifest.</param>
/// <param name="KernelPath">The kernel's file.</param>
/// <param name="InitramfsPath">The initial RAM file system's file, or null.</param>
/// <param name="DiskPaths">The disks' files, in the order of the manifest.</param>
public sealed record LocalImage(ImageManifest Manifest, string KernelPath, string? InitramfsPath, IReadOnlyList<string> DiskPaths);

/// <summary>What an image is packed from.</summary>
public sealed record ImageFiles
{
    /// <summary>See <see cref="ImageName.Check"/>.</summary>
    public required string Name { get; init; }

    /// <summary>See <see cref="ImageName.CheckTag"/>.</summary>
    public string Tag { get; init; } = ImageName.DefaultTag;

    /// <summary>What the files were made from.</summary>
    public ManifestKind Kind { get; init; }

    /// <summary>"x86_64" or "aarch64".</summary>
    public required string Architecture { get; init; }

    /// <summary>The kernel command line that the image brings.</summary>
    public string KernelArguments { get; init; } = "";

    /// <summary>Free keys and values.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>();

    /// <summary>The kernel's file.</summary>
    public required string KernelPath { get; init; }

    /// <summary>The initial RAM file system's file; null = none.</summary>
    public string? InitramfsPath { get; init; }

    /// <summary>Raw disks, in the order in which they are attached.</summary>
    public IReadOnlyList<string> DiskPaths { get; init; } = [];
}

/// <summary>An image cannot be removed because a VM runs from it or it is being fetched.</summary>
public sealed class ImageInUseException : ImageException
{
    internal ImageInUseException(BlobHash image)
        : base($"image {image} is in use on this node")
    {
    }
}
