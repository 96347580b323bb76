namespace Iroh.Gossip.Network;

/// <summary>
/// Which endpoints of a test, each with one IPv4 socket on loopback, can reach each other: all, until they are cut. Thread-safe.
/// </summary>
internal sealed class LoopbackCuts
{
    private readonly Lock _lock = new();
    private readonly List<CuttableSocket> _sockets = [];
    private readonly HashSet<string> _apart = [];

    /// <summary>Adds a socket.</summary>
    /// <param name="port">Its port.</param>
    /// <param name="name">Whose it is: one that has another port after a restart stays on its side of a cut.</param>
    public CuttableSocket Add(int port, string name)
    {
        lock (_lock)
        {
            var socket = new CuttableSocket(port, DatagramFilter.FindSocket(port), name);
            _sockets.Add(socket);
            Apply();
            return socket;
        }
    }

    /// <summary>A socket is about to be closed: what its owner says last is still heard on its side of a cut, or, as if it were killed, by nobody.</summary>
    public void BeginClose(CuttableSocket socket, bool silently)
    {
        lock (_lock)
        {
            if (silently && !socket.IsClosing)
                DatagramFilter.Set(socket.Descriptor, [], lossPercent: 100);
            (socket.IsClosing, socket.IsSilent) = (true, silently);
            Apply();
        }
    }

    /// <summary>A socket has been closed.</summary>
    public void Remove(CuttableSocket socket)
    {
        lock (_lock)
        {
            if (_sockets.Remove(socket))
                Apply();
        }
    }

    /// <summary>From now on these reach only each other, and the others only each other. Replaces the cut before.</summary>
    public void Cut(IEnumerable<string> names)
    {
        lock (_lock)
        {
            _apart.Clear();
            _apart.UnionWith(names);
            Apply();
        }
    }

    /// <summary>All reach each other again.</summary>
    public void Heal() => Cut([]);

    private void Apply()
    {
        // One that is closing may be gone by now.
        foreach (CuttableSocket socket in _sockets.Where(socket => !socket.IsClosing))
        {
            int[] dropped = [.. _sockets.Where(other => other != socket && IsCut(socket, other)).Select(other => other.Port).Where(port => port != socket.Port)];
            DatagramFilter.Set(socket.Descriptor, dropped, lossPercent: 0);
        }
    }

    private bool IsCut(CuttableSocket one, CuttableSocket other) => other.IsSilent || _apart.Contains(one.Name) != _apart.Contains(other.Name);
}

/// <summary>A socket among <see cref="LoopbackCuts"/>, which alone change it.</summary>
internal sealed class CuttableSocket(int port, int descriptor, string name)
{
    public int Port { get; } = port;

    public int Descriptor { get; } = descriptor;

    public string Name { get; } = name;

    public bool IsClosing { get; set; }

    public bool IsSilent { get; set; }
}
