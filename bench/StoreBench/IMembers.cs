namespace StoreBench;

/// <summary>Three running etcd members; disposing ends them and deletes their data.</summary>
internal interface IMembers : IAsyncDisposable
{
    /// <summary>The socket of each member for its clients.</summary>
    IReadOnlyList<string> ClientSockets { get; }
}
