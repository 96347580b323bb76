using Blixard.Containers.Archives;
using Blixard.Containers.Tree;

namespace Blixard.Containers.Layers;

/// <summary>
/// Puts the entries of layers into a tree, layer by layer from the lowest (OCI image-spec 1.1, layer.md). What a layer hides
/// (<c>.wh.NAME</c>, <c>.wh..wh..opq</c>) is only what lower layers gave, wherever in the layer the mark is. Not thread-safe.
/// </summary>
internal sealed class LayerApplier(RootTree tree)
{
    private const string WhiteoutPrefix = ".wh.";

    private const string OpaqueName = ".wh..wh..opq";

    // Other names with this prefix are notes of the aufs driver to itself.
    private const string AufsPrefix = ".wh..wh.";

    private int _entries;

    /// <summary>Applies one entry.</summary>
    /// <param name="entry">What the layer says.</param>
    /// <param name="place">The number of the layer, and of the entry in it.</param>
    /// <exception cref="ContainerImageException">It is refused; the message names the path.</exception>
    public void Apply(TarEntry entry, ContentPlace place)
    {
        if (++_entries > ContainerLimits.EntriesMax)
            throw ContainerImageException.TooLarge($"the layers have more than {ContainerLimits.EntriesMax} entries");
        string[] names = TreePath.Split(entry.Path);
        if (names.Length == 0)
        {
            if (entry.Kind != TarEntryKind.Directory)
                throw ContainerImageException.Hostile($"the root, '{ByteText.Show(entry.Path)}', is no directory");
            SetMetadata(tree.Root, entry);
            return;
        }

        string name = names[^1];
        ReadOnlySpan<string> parents = names.AsSpan(0, names.Length - 1);
        if (name.StartsWith(WhiteoutPrefix, StringComparison.Ordinal))
        {
            Hide(entry, parents, name, place.Layer);
            return;
        }

        TreeNode directory = tree.EnsureDirectory(entry.Path, parents, place.Layer);
        if (entry.Kind == TarEntryKind.Directory && directory.Children.TryGetValue(name, out TreeEntry old) && old.Node.Kind == NodeKind.Directory)
        {
            SetMetadata(old.Node, entry);
            directory.Children[name] = new TreeEntry(old.Node, place.Layer);
            return;
        }

        directory.Children[name] = new TreeEntry(CreateNode(entry, place), place.Layer);
    }

    private void Hide(TarEntry entry, ReadOnlySpan<string> parents, string name, int layer)
    {
        if (name == OpaqueName)
        {
            PruneChildren(tree.EnsureDirectory(entry.Path, parents, layer), layer);
            return;
        }

        string hidden = name[WhiteoutPrefix.Length..];
        if (name.StartsWith(AufsPrefix, StringComparison.Ordinal))
            return;
        if (hidden is "" or "." or "..")
            throw ContainerImageException.Hostile($"the whiteout '{ByteText.Show(entry.Path)}' names no file");
        Prune(tree.EnsureDirectory(entry.Path, parents, layer), hidden, layer);
    }

    // Takes away what lower layers gave; what this layer gave stays.
    private static void PruneChildren(TreeNode directory, int layer)
    {
        foreach (string name in directory.Children.Keys.ToArray())
            Prune(directory, name, layer);
    }

    private static void Prune(TreeNode directory, string name, int layer)
    {
        if (!directory.Children.TryGetValue(name, out TreeEntry entry))
            return;
        if (entry.Node.Kind == NodeKind.Directory)
            PruneChildren(entry.Node, layer);
        if (entry.Layer < layer && entry.Node.Children.Count == 0)
            directory.Children.Remove(name);
    }

    private TreeNode CreateNode(TarEntry entry, ContentPlace place)
    {
        switch (entry.Kind)
        {
            case TarEntryKind.HardLink:
                return FindLinked(entry);
            case TarEntryKind.CharacterDevice or TarEntryKind.BlockDevice:
                throw ContainerImageException.Hostile($"'{ByteText.Show(entry.Path)}' is a device node; the machine makes its own in /dev");
            case TarEntryKind.SymbolicLink when entry.LinkTarget.Length is 0 or > ContainerLimits.PathLengthMax || entry.LinkTarget.Contains('\0', StringComparison.Ordinal):
                throw ContainerImageException.Malformed($"the symbolic link '{ByteText.Show(entry.Path)}' has a target of {entry.LinkTarget.Length} bytes, or one with a zero byte");
        }

        var node = new TreeNode(entry.Kind switch
        {
            TarEntryKind.Directory => NodeKind.Directory,
            TarEntryKind.SymbolicLink => NodeKind.SymbolicLink,
            TarEntryKind.Fifo => NodeKind.Fifo,
            _ => NodeKind.File,
        })
        {
            LinkTarget = entry.LinkTarget,
            Size = entry.Size,
            Content = entry.Size > 0 ? place : null,
        };
        SetMetadata(node, entry);
        return node;
    }

    private TreeNode FindLinked(TarEntry entry)
    {
        string[] names = TreePath.Split(entry.LinkTarget);
        if (names.Length > 0 && tree.TryFind(string.Join('/', names[..^1]), out TreeNode? directory)
            && directory.Children.TryGetValue(names[^1], out TreeEntry target) && target.Node.Kind != NodeKind.Directory)
            return target.Node;
        throw ContainerImageException.Malformed($"'{ByteText.Show(entry.Path)}' is a hard link to '{ByteText.Show(entry.LinkTarget)}', which is no file of the image");
    }

    private static void SetMetadata(TreeNode node, TarEntry entry)
    {
        node.Mode = entry.Mode;
        node.UserId = entry.UserId;
        node.GroupId = entry.GroupId;
        node.ModifiedSeconds = entry.ModifiedSeconds;
        node.ModifiedNanoseconds = entry.ModifiedNanoseconds;
        node.Capabilities = node.Kind == NodeKind.File ? entry.Capabilities : default;
    }
}
