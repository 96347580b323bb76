using System.Diagnostics.CodeAnalysis;

namespace Blixard.Containers;

/// <summary>Where a container image is.</summary>
/// <param name="Kind">In what form.</param>
/// <param name="Path">The file or directory.</param>
public sealed record ContainerSource(ContainerSourceKind Kind, string Path)
{
    /// <summary>Reads <c>docker-archive:FILE</c>, <c>oci-archive:FILE</c> or <c>oci:DIR</c>.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out ContainerSource? source)
    {
        source = null;
        int colon = text?.IndexOf(':', StringComparison.Ordinal) ?? -1;
        if (text is null || colon < 0 || colon == text.Length - 1)
            return false;
        ContainerSourceKind? kind = text[..colon] switch
        {
            "docker-archive" => ContainerSourceKind.DockerArchive,
            "oci-archive" => ContainerSourceKind.OciArchive,
            "oci" => ContainerSourceKind.OciDirectory,
            _ => null,
        };
        source = kind is { } known ? new ContainerSource(known, text[(colon + 1)..]) : null;
        return source is not null;
    }
}

/// <summary>The forms in which container images come.</summary>
public enum ContainerSourceKind
{
    /// <summary>The output of <c>docker save</c> or <c>podman save</c>: a tar archive with <c>manifest.json</c>, perhaps compressed with gzip.</summary>
    DockerArchive,

    /// <summary>An OCI image layout as a tar archive, perhaps compressed with gzip.</summary>
    OciArchive,

    /// <summary>An OCI image layout as a directory.</summary>
    OciDirectory,
}
