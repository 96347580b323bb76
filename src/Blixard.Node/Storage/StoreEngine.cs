namespace Blixard.Node.Storage;

/// <summary>The engines that keep a cluster's state, by the names that people, files and services use.</summary>
internal static class StoreEngine
{
    public const string Sqlite = "sqlite";
    public const string Etcd = "etcd";

    public static bool IsKnown(string name) => name is Sqlite or Etcd;
}
