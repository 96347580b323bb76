namespace StoreBench;

/// <summary>Three running etcd members; disposing ends them and deletes their data.</summary>
internal interface IMembers : IAsyncDisposable
{
    /// <summary>The socket of each member for its clients.</summary>
    IReadOnlyList<string> ClientSockets { get; }

    /// <summary>The processes of etcd.</summary>
    IReadOnlyList<int> EtcdProcesses { get; }

    /// <summary>The processes of the nodes; none when etcd runs alone.</summary>
    IReadOnlyList<int> NodeProcesses { get; }
}
