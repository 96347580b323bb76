using System.Diagnostics.CodeAnalysis;

namespace Blixard.Containers.Tree;

/// <summary>
/// A root file system as a tree in memory. Links are followed inside it as the kernel would below a root directory: nothing leads out,
/// because there is nothing outside. Not thread-safe.
/// </summary>
internal sealed class RootTree
{
    /// <summary>The root directory.</summary>
    public TreeNode Root { get; } = new(NodeKind.Directory) { Mode = 0x1ED };

    /// <summary>The directory in which a path's last name is or would be, its missing parents made; symbolic links on the way are followed.</summary>
    /// <param name="path">The whole path, for messages.</param>
    /// <param name="names">The names that lead to the directory.</param>
    /// <param name="layer">The layer that asks; directories that are made belong to it.</param>
    /// <exception cref="ContainerImageException">A name on the way is a file, links lead in circles, or it is too deep.</exception>
    public TreeNode EnsureDirectory(string path, ReadOnlySpan<string> names, int layer) =>
        Walk(path, names, layer) ?? throw ContainerImageException.Malformed($"'{ByteText.Show(path)}' is below something that is no directory");

    /// <summary>What a path stands for, all links followed.</summary>
    /// <exception cref="ContainerImageException">Links lead in circles.</exception>
    public bool TryFind(string path, [NotNullWhen(true)] out TreeNode? node)
    {
        node = Walk(path, path.Split('/', StringSplitOptions.RemoveEmptyEntries), madeBy: null, isLastAny: true);
        return node is not null;
    }

    /// <summary>Every node once, although several names may lead to one, in an order that follows from the names alone.</summary>
    public IEnumerable<TreeNode> AllNodes()
    {
        var seen = new HashSet<TreeNode>(ReferenceEqualityComparer.Instance) { Root };
        var pending = new Stack<TreeNode>([Root]);
        while (pending.TryPop(out TreeNode? node))
        {
            yield return node;
            foreach (TreeEntry entry in node.Children.Values)
                if (seen.Add(entry.Node))
                    pending.Push(entry.Node);
        }
    }

    private TreeNode? Walk(string path, ReadOnlySpan<string> names, int? madeBy, bool isLastAny = false)
    {
        // The directories from the root to where the walk is: ".." in a link goes back, and stays at the root there.
        var way = new List<TreeNode> { Root };
        var left = new Stack<string>();
        for (int i = names.Length - 1; i >= 0; i--)
            left.Push(names[i]);
        int links = 0;
        while (left.TryPop(out string? name))
        {
            TreeNode here = way[^1];
            if (name is "." or "")
                continue;
            if (name == "..")
            {
                if (way.Count > 1)
                    way.RemoveAt(way.Count - 1);
                continue;
            }

            if (!here.Children.TryGetValue(name, out TreeEntry entry))
            {
                if (madeBy is not { } layer)
                    return null;
                entry = new TreeEntry(new TreeNode(NodeKind.Directory) { Mode = 0x1ED }, layer);
                CheckName(path, name);
                here.Children.Add(name, entry);
            }

            if (entry.Node.Kind == NodeKind.SymbolicLink)
            {
                if (++links > ContainerLimits.SymbolicLinksMax)
                    throw ContainerImageException.Hostile($"more than {ContainerLimits.SymbolicLinksMax} symbolic links on the way to '{ByteText.Show(path)}'");
                Follow(entry.Node.LinkTarget, way, left);
            }
            else if (entry.Node.Kind == NodeKind.Directory)
            {
                way.Add(entry.Node);
                if (way.Count > ContainerLimits.DepthMax)
                    throw ContainerImageException.TooLarge($"'{ByteText.Show(path)}' is more than {ContainerLimits.DepthMax} directories deep");
            }
            else
            {
                return isLastAny && left.Count == 0 ? entry.Node : null;
            }
        }

        return way[^1];
    }

    private static void Follow(string target, List<TreeNode> way, Stack<string> left)
    {
        if (target.StartsWith('/'))
            way.RemoveRange(1, way.Count - 1);
        string[] names = target.Split('/', StringSplitOptions.RemoveEmptyEntries);
        for (int i = names.Length - 1; i >= 0; i--)
            left.Push(names[i]);
    }

    // A link's target may bring names that no path would.
    private static void CheckName(string path, string name)
    {
        if (name.Length > ContainerLimits.NameLengthMax)
            throw ContainerImageException.TooLarge($"a name on the way to '{ByteText.Show(path)}' has {name.Length} bytes; {ContainerLimits.NameLengthMax} are possible");
    }
}
