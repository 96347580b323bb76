namespace Blixard.Node.Storage;

/// <summary>The <see cref="NodeFile"/> in memory and on disk. Thread-safe.</summary>
internal sealed class NodeMemory(string path, NodeFile? current)
{
    private readonly Lock _lock = new();
    private NodeFile? _current = current;

    /// <summary>What is remembered; null while the node belongs to no cluster.</summary>
    public NodeFile? Current
    {
        get
        {
            lock (_lock)
                return _current;
        }
    }

    /// <summary>Remembers, if that is news.</summary>
    /// <exception cref="IOException">The file cannot be written; the memory stays as it was.</exception>
    public void Set(NodeFile file)
    {
        lock (_lock)
        {
            if (_current is { } known && file with { Servers = known.Servers } == known && file.Servers.SequenceEqual(known.Servers))
                return;
            file.Write(path);
            _current = file;
        }
    }

    /// <summary>Changes what is remembered, if the node belongs to a cluster.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Update(Func<NodeFile, NodeFile> change)
    {
        lock (_lock)
        {
            if (_current is { } file)
                Set(change(file));
        }
    }

    /// <summary>Forgets the cluster.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            File.Delete(path);
            _current = null;
        }
    }
}
