using System.Diagnostics.CodeAnalysis;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Paths;

/// <summary>The paths of a connection in the order of their ids. There is always at least one.</summary>
internal sealed class PathTable
{
    private readonly List<Path> _paths = [];

    /// <summary>Starts with the path of the handshake.</summary>
    public PathTable(Path first) => _paths.Add(first);

    /// <summary>Number of paths.</summary>
    public int Count => _paths.Count;

    /// <summary>The path at a place in the order.</summary>
    public Path this[int index] => _paths[index];

    /// <summary>The path with the lowest id: the one that carries the handshake, and data while no better one is chosen.</summary>
    public Path First => _paths[0];

    /// <summary>The path that one of this end's connection ids belongs to: each id names one path.</summary>
    public bool TryFindByLocalId(in ConnectionId id, [NotNullWhen(true)] out Path? path)
    {
        foreach (Path candidate in _paths)
        {
            if (!candidate.LocalIds.Contains(id))
                continue;
            path = candidate;
            return true;
        }

        path = null;
        return false;
    }
}
