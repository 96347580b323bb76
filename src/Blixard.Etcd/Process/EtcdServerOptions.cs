using Iroh.Base;

namespace Blixard.Etcd.Process;

/// <summary>Where and how a server's etcd runs.</summary>
public sealed record EtcdServerOptions
{
    /// <summary>
    /// etcd's own directory, an absolute path: its working directory with its sockets, and its data in <c>data</c>. It is made, or set, to
    /// mode 0700, which is what keeps other users of this machine out. One server per directory; the caller holds the lock.
    /// </summary>
    public required string Directory { get; init; }

    /// <summary>This node: the member's name and, in its peer URL, its address.</summary>
    public required EndpointId Self { get; init; }

    /// <summary>The program: a name on the PATH, or a path with a '/'. Default "etcd".</summary>
    public string Program { get; init; } = "etcd";

    /// <summary>How often a leader says that it is there; etcd's default of 100 ms suits round trips of up to about 50 ms.</summary>
    public TimeSpan HeartbeatInterval { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// How long a follower hears nothing before it asks for an election: at least 5 heartbeats (etcd refuses less), at most 50 s. Default 1 s,
    /// etcd's own. All members need the same.
    /// </summary>
    public TimeSpan ElectionTimeout { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// How long etcd may take to end in order; it hands leadership over and closes its files. After that it is ended with SIGKILL, which loses
    /// nothing that was acknowledged. Default 10 s: etcd itself gives up handing over after 5 s and two election timeouts.
    /// </summary>
    public TimeSpan StopLimit { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Checks the values.</summary>
    /// <exception cref="ArgumentException">One is out of its range; the message says which.</exception>
    public void Validate()
    {
        if (!Path.IsPathRooted(Directory))
            throw new ArgumentException($"etcd's directory must be an absolute path, not '{Directory}'.");
        if (HeartbeatInterval < TimeSpan.FromMilliseconds(1))
            throw new ArgumentException("The heartbeat interval must be at least 1 ms.");
        if (ElectionTimeout < 5 * HeartbeatInterval || ElectionTimeout > TimeSpan.FromSeconds(50))
            throw new ArgumentException("The election timeout must be at least 5 heartbeats and at most 50 s.");
        if (StopLimit <= TimeSpan.Zero)
            throw new ArgumentException("The limit for stopping must be positive.");
    }
}
