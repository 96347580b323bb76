namespace Blixard.Etcd.Store;

/// <summary>
/// The store's revisions as etcd's. An empty etcd is at revision 1 and an empty store at 0, so etcd is always one ahead; a node's
/// SQLite store becomes an etcd member without a revision changing for anybody.
/// </summary>
internal static class EtcdRevision
{
    /// <summary>The revision of an empty etcd: no write has it.</summary>
    public const long Empty = 1;

    /// <summary>A revision of etcd as the store's.</summary>
    public static long ToStore(long etcd) => etcd - Empty;

    /// <summary>A revision of the store as etcd's. What no write can have (below 0, or the last there is) becomes
    /// <see cref="Empty"/>, which no write has either.</summary>
    public static long ToEtcd(long store) => store is < 0 or long.MaxValue ? Empty : store + Empty;
}
