namespace Blixard.Cluster.Store.Backup;

/// <summary>What a backup says of itself.</summary>
/// <param name="ClusterId">The cluster's id: 1 to 64 bytes of UTF-8.</param>
/// <param name="Engine">The engine that held the store, <c>sqlite</c> or <c>etcd</c>: 1 to 64 bytes of UTF-8.</param>
/// <param name="Revision">The store's revision that the keys are as of, 0 or more.</param>
/// <param name="Time">When it was made, to the millisecond.</param>
public sealed record StoreBackupHeader(string ClusterId, string Engine, long Revision, DateTimeOffset Time);
