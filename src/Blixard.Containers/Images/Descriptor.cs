using System.Text.Json;

namespace Blixard.Containers.Images;

/// <summary>Names a blob of an OCI layout (image-spec 1.1, descriptor.md).</summary>
/// <param name="MediaType">What the blob is.</param>
/// <param name="Digest">Its digest.</param>
/// <param name="Size">Its size in bytes.</param>
/// <param name="Platform">"linux/amd64", or null if none is stated.</param>
/// <param name="Names">What annotations call it.</param>
internal sealed record Descriptor(string MediaType, Digest Digest, long Size, string? Platform, IReadOnlyList<string> Names)
{
    /// <summary>The blob's file in the layout.</summary>
    public string BlobName => $"blobs/sha256/{Digest.Hex}";

    public bool IsIndex => MediaType is "application/vnd.oci.image.index.v1+json" or "application/vnd.docker.distribution.manifest.list.v2+json";

    public bool IsManifest => MediaType is "application/vnd.oci.image.manifest.v1+json" or "application/vnd.docker.distribution.manifest.v2+json";

    /// <summary>How the layer is compressed.</summary>
    /// <exception cref="ContainerImageException">The media type is not that of a layer that can be read.</exception>
    public LayerCompression Compression => MediaType switch
    {
        "application/vnd.oci.image.layer.v1.tar" or "application/vnd.oci.image.layer.nondistributable.v1.tar"
            or "application/vnd.docker.image.rootfs.diff.tar" => LayerCompression.None,
        "application/vnd.oci.image.layer.v1.tar+gzip" or "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
            or "application/vnd.docker.image.rootfs.diff.tar.gzip" => LayerCompression.Gzip,
        string zstd when zstd.EndsWith("zstd", StringComparison.Ordinal) => throw ContainerImageException.Unsupported(
            "a layer is compressed with zstd, which cannot be read; pack the image with gzip (skopeo copy --dest-compress-format gzip)"),
        _ => throw ContainerImageException.Unsupported($"a layer has the unknown media type '{ByteText.Show(ByteText.FromUnicode(MediaType))}'"),
    };

    public static Descriptor Read(JsonElement json, string where)
    {
        string? platform = JsonFields.Object(json, "platform", where) is { } stated
            ? $"{JsonFields.RequiredText(stated, "os", where)}/{JsonFields.RequiredText(stated, "architecture", where)}" : null;
        var names = new List<string>();
        if (JsonFields.Object(json, "annotations", where) is { } annotations)
        {
            foreach (string key in (string[])["io.containerd.image.name", "org.opencontainers.image.ref.name"])
                if (JsonFields.Text(annotations, key, where) is { Length: > 0 } name)
                    names.Add(name);
        }

        return new Descriptor(
            JsonFields.RequiredText(json, "mediaType", where), Digest.Parse(JsonFields.RequiredText(json, "digest", where), $"in {where}"),
            JsonFields.RequiredSize(json, "size", where), platform, names);
    }
}
