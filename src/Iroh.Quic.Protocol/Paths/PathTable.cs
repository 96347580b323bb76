using System.Diagnostics.CodeAnalysis;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Paths;

/// <summary>
/// The paths of a connection and the path ids that may become paths, both in the order of their ids. There is always at least one path.
/// </summary>
internal sealed class PathTable
{
    private readonly List<Path> _paths = [];
    private readonly List<PathEntry> _entries = [];
    private PathEntry _lastFound;

    /// <summary>Starts with the path of the handshake.</summary>
    public PathTable(Path first)
    {
        _paths.Add(first);
        _lastFound = new PathEntry(first.Id, first.LocalIds, first.RemoteIds) { Path = first };
        _entries.Add(_lastFound);
    }

    /// <summary>Number of paths, those that were given up and are not yet forgotten included.</summary>
    public int Count => _paths.Count;

    /// <summary>The path at a place in the order.</summary>
    public Path this[int index] => _paths[index];

    /// <summary>The path with the lowest id.</summary>
    public Path First => _paths[0];

    /// <summary>All path ids that may be used and are not used up.</summary>
    public List<PathEntry> Entries => _entries;

    /// <summary>Paths that no end has given up.</summary>
    public int OpenCount
    {
        get
        {
            int count = 0;
            foreach (Path path in _paths)
                count += path.IsAbandoned ? 0 : 1;
            return count;
        }
    }

    /// <summary>The first path that carries data now; the first of all if there is none.</summary>
    public Path InUse
    {
        get
        {
            foreach (Path path in _paths)
            {
                if (path.CarriesData)
                    return path;
            }

            return _paths[0];
        }
    }

    /// <summary>The largest probe timeout of all paths: what closing and key retention are multiples of.</summary>
    public TimeSpan LongestProbeTimeout
    {
        get
        {
            TimeSpan longest = _paths[0].ProbeTimeout;
            for (int i = 1; i < _paths.Count; i++)
                longest = _paths[i].ProbeTimeout > longest ? _paths[i].ProbeTimeout : longest;
            return longest;
        }
    }

    /// <summary>Whether a validated path leads to the peer over IP, and answers.</summary>
    public bool HasDirect
    {
        get
        {
            foreach (Path path in _paths)
            {
                if (path is { IsAbandoned: false, IsOpened: true, IsSilent: false } && !path.Current.Address.Remote.IsVirtual)
                    return true;
            }

            return false;
        }
    }

    /// <summary>Whether a validated path has these addresses.</summary>
    public bool HasValidated(FourTuple address)
    {
        foreach (Path path in _paths)
        {
            if (!path.IsAbandoned && path.Current.Validator.IsValidated && path.Current.Address == address)
                return true;
        }

        return false;
    }

    /// <summary>The path whose ids and packet numbers probes beside the paths use: the lowest that is validated.</summary>
    public bool TryFindProbeCarrier([NotNullWhen(true)] out Path? carrier)
    {
        foreach (Path path in _paths)
        {
            carrier = path;
            if (!path.IsAbandoned && path.Current.Validator.IsValidated && path.RemoteIds.HasActive)
                return true;
        }

        carrier = null;
        return false;
    }

    /// <summary>The path id that one of this end's connection ids belongs to: each names one.</summary>
    public bool TryFindByLocalId(in ConnectionId id, [NotNullWhen(true)] out PathEntry? entry)
    {
        // Most datagrams are for the path of the one before.
        entry = _lastFound;
        if (entry.LocalIds.Contains(id))
            return true;
        foreach (PathEntry candidate in _entries)
        {
            if (!candidate.LocalIds.Contains(id))
                continue;
            entry = _lastFound = candidate;
            return true;
        }

        entry = null;
        return false;
    }

    /// <summary>The entry of a path id.</summary>
    public bool TryFind(PathId id, [NotNullWhen(true)] out PathEntry? entry)
    {
        foreach (PathEntry candidate in _entries)
        {
            if (candidate.Id != id)
                continue;
            entry = candidate;
            return true;
        }

        entry = null;
        return false;
    }

    /// <summary>The path of an id, opened and not forgotten.</summary>
    public bool TryFindPath(PathId id, [NotNullWhen(true)] out Path? path)
    {
        path = TryFind(id, out PathEntry? entry) ? entry.Path : null;
        return path is not null;
    }

    /// <summary>Adds a path id, larger than all before.</summary>
    public void Add(PathEntry entry) => _entries.Add(entry);

    /// <summary>Adds the path of an entry.</summary>
    public void Open(PathEntry entry, Path path)
    {
        entry.Path = path;
        int index = _paths.Count;
        while (index > 0 && _paths[index - 1].Id.Value > path.Id.Value)
            index--;
        _paths.Insert(index, path);
    }

    /// <summary>Forgets a path id with everything that belongs to it. Not the last path.</summary>
    public void Remove(PathEntry entry)
    {
        _entries.Remove(entry);
        if (entry.Path is { } path)
            _paths.Remove(path);
        if (_lastFound == entry)
            _lastFound = _entries[0];
    }
}
