namespace Blixard.Containers.Images;

/// <summary>An image found in an archive: its configuration and its layers, from the lowest.</summary>
/// <param name="Reference">What the archive calls it (NAME:TAG), or null.</param>
/// <param name="ConfigurationDigest">The digest of the configuration, which names the image.</param>
/// <param name="Configuration">How it is run.</param>
/// <param name="Layers">As many as the configuration has diff ids.</param>
internal sealed record ContainerImage(string? Reference, Digest ConfigurationDigest, ImageConfiguration Configuration, IReadOnlyList<ImageLayer> Layers);

/// <summary>A layer of an image in its archive.</summary>
/// <param name="FileName">Its file in the archive.</param>
/// <param name="DiffId">The digest of its uncompressed content.</param>
/// <param name="Compression">How it is compressed; null = as the content's first bytes say.</param>
/// <param name="Blob">The digest and the size of the file, if the archive states them.</param>
internal sealed record ImageLayer(string FileName, Digest DiffId, LayerCompression? Compression, (Digest Digest, long Size)? Blob);

/// <summary>How a layer is compressed.</summary>
internal enum LayerCompression
{
    None,
    Gzip,
}
