using System.CommandLine;

namespace Blixard.Cli.Store;

/// <summary>What the commands that work on a stopped node's store share.</summary>
internal static class StoreOptions
{
    /// <summary>The etcd program, as <c>up</c> takes it.</summary>
    public static Option<string> Etcd { get; } = new("--etcd")
    {
        Description = "The etcd program; etcdutl or etcdctl is looked for beside it, then in the PATH.",
        DefaultValueFactory = _ => Environment.GetEnvironmentVariable("BLIXARD_ETCD") is { Length: > 0 } program ? program : "etcd",
        HelpName = "PROGRAM",
    };
}
