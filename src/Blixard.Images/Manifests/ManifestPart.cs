using Iroh.Blobs;

namespace Blixard.Images.Manifests;

/// <summary>What a part of an image is for. The order of the values is the order of parts in a manifest.</summary>
public enum ManifestPartKind
{
    /// <summary>The kernel; each image has one.</summary>
    Kernel,

    /// <summary>The initial RAM file system; at most one.</summary>
    Initramfs,

    /// <summary>A raw disk, attached in the order of the manifest.</summary>
    Disk,
}

/// <summary>One file of an image.</summary>
/// <param name="Kind">What it is for.</param>
/// <param name="FileName">What it is called in the image, unique there: see <see cref="ImageManifest.CheckFileName"/>.</param>
/// <param name="Size">Its size in bytes, 1 to <see cref="ImageManifest.PartSizeMax"/>.</param>
/// <param name="Hash">The hash of its content.</param>
public sealed record ManifestPart(ManifestPartKind Kind, string FileName, long Size, BlobHash Hash);
