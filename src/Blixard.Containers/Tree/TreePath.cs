namespace Blixard.Containers.Tree;

/// <summary>The rules for paths in layers.</summary>
internal static class TreePath
{
    /// <summary>The names of which a path consists; none = the root.</summary>
    /// <exception cref="ContainerImageException">It is too long, has <c>..</c> in it or a zero byte.</exception>
    public static string[] Split(string path)
    {
        if (path.Length > ContainerLimits.PathLengthMax)
            throw ContainerImageException.TooLarge($"the path '{ByteText.Show(path)}' has {path.Length} bytes; {ContainerLimits.PathLengthMax} are possible");
        if (path.Contains('\0', StringComparison.Ordinal))
            throw ContainerImageException.Malformed($"the path '{ByteText.Show(path)}' holds a zero byte");
        string[] names = [.. path.Split('/', StringSplitOptions.RemoveEmptyEntries).Where(static name => name != ".")];
        foreach (string name in names)
        {
            if (name == "..")
                throw ContainerImageException.Hostile($"the path '{ByteText.Show(path)}' has '..' in it");
            if (name.Length > ContainerLimits.NameLengthMax)
                throw ContainerImageException.TooLarge($"a name in '{ByteText.Show(path)}' has {name.Length} bytes; {ContainerLimits.NameLengthMax} are possible");
        }

        return names;
    }
}
