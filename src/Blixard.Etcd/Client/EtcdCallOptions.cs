using Blixard.Rpc.Calls;

namespace Blixard.Etcd.Client;

/// <summary>What a caller says about one call of etcd.</summary>
public sealed record EtcdCallOptions
{
    private static readonly RpcMetadata s_requireLeader = Metadata();

    /// <summary>The time limit of a call that names none: an election takes one to two seconds, and whoever waits for a store
    /// would rather ask another server than wait longer.</summary>
    public static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(2);

    /// <summary>Default time limit, no leader required.</summary>
    public static EtcdCallOptions Default { get; } = new();

    /// <summary>How long the whole call may take, more than zero; default <see cref="DefaultTimeout"/>; null: no limit.</summary>
    public TimeSpan? Timeout { get; init; } = DefaultTimeout;

    /// <summary>Fail at once with <see cref="EtcdErrorKind.NoLeader"/> when the member knows no leader, instead of waiting for one.
    /// A stream is also ended when the member has known none for about three seconds.</summary>
    public bool RequireLeader { get; init; }

    internal RpcCallOptions ToRpc() => new() { Timeout = Timeout, Metadata = RequireLeader ? s_requireLeader : RpcMetadata.Empty };

    private static RpcMetadata Metadata()
    {
        var metadata = new RpcMetadata();
        metadata.Add("hasleader", "true");
        return metadata;
    }
}
