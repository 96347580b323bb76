namespace Blixard.Containers;

/// <summary>What a container image was made into.</summary>
public sealed record BootableImage
{
    /// <summary>The initial RAM file system.</summary>
    public required string InitramfsPath { get; init; }

    /// <summary>The disk: an ext4 file system with the image's files.</summary>
    public required string DiskPath { get; init; }

    /// <summary>
    /// What the kernel's command line needs: a reset by triple fault, at once. The microvm machine has no keyboard controller, and of some
    /// twenty guests that were reset in the usual way one stood still with "Restarting system" on its console.
    /// </summary>
    public string KernelArguments { get; } = "reboot=t,force";

    /// <summary>The disk's size in bytes.</summary>
    public required long DiskBytes { get; init; }

    /// <summary>Files, directories and links on it.</summary>
    public required int FileCount { get; init; }

    /// <summary>The image's layers.</summary>
    public required int LayerCount { get; init; }

    /// <summary>What the archive calls the image (NAME:TAG), or null.</summary>
    public required string? Reference { get; init; }

    /// <summary>The digest of the image's configuration (its image id): <c>sha256:…</c>.</summary>
    public required string Digest { get; init; }

    /// <summary>The labels of its configuration, as they are there: any texts of any number.</summary>
    public required IReadOnlyDictionary<string, string> Labels { get; init; }

    /// <summary>What it runs, in words for people.</summary>
    public required string Command { get; init; }

    /// <summary>As whom: UID:GID.</summary>
    public required string User { get; init; }
}
