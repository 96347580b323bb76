namespace Blixard.Images.Manifests;

/// <summary>What an image was made from.</summary>
public enum ManifestKind
{
    /// <summary>A kernel, with an initramfs or disks, as they were given.</summary>
    Machine,

    /// <summary>A container image that was made bootable.</summary>
    Container,
}
