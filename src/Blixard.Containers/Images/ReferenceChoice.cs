namespace Blixard.Containers.Images;

/// <summary>Chooses one of an archive's images by name.</summary>
internal static class ReferenceChoice
{
    /// <summary>The image that has the name, or the only one if no name is given.</summary>
    /// <exception cref="ContainerImageException">There is no such image, or there are several and no name; the message lists the names.</exception>
    public static (T Image, IReadOnlyList<string> Names) Choose<T>(string archive, IReadOnlyList<(T Image, IReadOnlyList<string> Names)> images, string? reference)
    {
        if (images.Count == 0)
            throw ContainerImageException.NotFound($"{archive} holds no image");
        if (reference is null)
        {
            return images.Count == 1
                ? images[0]
                : throw ContainerImageException.NotFound($"{archive} holds {images.Count} images; say which: {List(images.SelectMany(static image => image.Names))}");
        }

        foreach ((T image, IReadOnlyList<string> names) in images)
            if (names.Contains(reference) || names.Contains(reference + ":latest"))
                return (image, names);
        throw ContainerImageException.NotFound($"{archive} holds no image '{reference}'; it holds {List(images.SelectMany(static image => image.Names))}");
    }

    private static string List(IEnumerable<string> names)
    {
        const int ShownMax = 10;
        string[] shown = [.. names.Take(ShownMax + 1).Select(static name => ByteText.Show(ByteText.FromUnicode(name)))];
        return shown.Length == 0 ? "images without names" : string.Join(", ", shown.Take(ShownMax)) + (shown.Length > ShownMax ? ", …" : "");
    }
}
