namespace Blixard.Etcd.Process;

/// <summary>How a server's etcd is.</summary>
public enum EtcdServerState
{
    /// <summary>The process runs and does not serve yet: it reads its data, or waits for a majority of the voters.</summary>
    Starting,

    /// <summary>It answered on its client socket.</summary>
    Serving,

    /// <summary>It ended, and is started again after a pause.</summary>
    BackingOff,

    /// <summary>The cluster has removed this member for good. It is not started again.</summary>
    Removed,

    /// <summary>It was stopped.</summary>
    Stopped,
}

/// <summary>How a server's etcd is, since when and why.</summary>
/// <param name="State">The state.</param>
/// <param name="Since">When that state began.</param>
/// <param name="Reason">
/// A sentence for people: why it ended, or what etcd complained about last while it starts. Empty if there is nothing to say.
/// </param>
/// <param name="ExitCode">What the last process that ended left: 128 + n for signal n; null before one has ended.</param>
/// <param name="ProcessId">etcd's process id while it runs.</param>
/// <param name="Starts">How often etcd was started, from 1.</param>
public sealed record EtcdServerStatus(
    EtcdServerState State, DateTimeOffset Since, string Reason, int? ExitCode, int? ProcessId, int Starts);
