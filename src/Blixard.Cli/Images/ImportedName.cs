using Blixard.Containers;

namespace Blixard.Cli.Images;

/// <summary>What an imported image is called if the user does not say. Pure.</summary>
internal static class ImportedName
{
    private const string DefaultTag = "latest";

    /// <summary>The name and the tag.</summary>
    /// <param name="source">Where the image was.</param>
    /// <param name="reference">What its archive calls it: <c>registry/path/name:tag</c>, in OCI layouts also the tag alone; or null.</param>
    public static (string Name, string Tag) Of(ContainerSource source, string? reference)
    {
        // A digest at the end names content and is no tag.
        string text = (reference ?? "").Split('@')[0];
        int slash = text.LastIndexOf('/');
        string last = text[(slash + 1)..];
        int colon = last.IndexOf(':', StringComparison.Ordinal);
        if (colon > 0)
            return (Allowed(last[..colon]), last[(colon + 1)..]);
        bool isTagAlone = last.Length > 0 && slash < 0 && source.Kind != ContainerSourceKind.DockerArchive;
        if (last.Length > 0 && !isTagAlone)
            return (Allowed(last), DefaultTag);
        return (Allowed(StemOf(source.Path)), isTagAlone ? last : DefaultTag);
    }

    // web.tar.gz is web.
    private static string StemOf(string path)
    {
        string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)));
        foreach (string suffix in (string[])[".gz", ".tgz", ".tar"])
            name = name.EndsWith(suffix, StringComparison.OrdinalIgnoreCase) ? name[..^suffix.Length] : name;
        return name;
    }

    private static string Allowed(string name)
    {
        string allowed = string.Concat(name.ToLowerInvariant().Select(static c => c is (>= 'a' and <= 'z') or (>= '0' and <= '9') or '.' or '_' or '-' ? c : '-'));
        return allowed.Length > 0 ? allowed : "image";
    }
}
