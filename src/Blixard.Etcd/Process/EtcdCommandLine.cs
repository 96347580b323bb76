using System.Globalization;
using Blixard.Etcd.Membership;
using Blixard.Etcd.Store;
using Iroh.Base;

namespace Blixard.Etcd.Process;

/// <summary>What etcd is told on its command line and in its environment. Relative names are relative to its working directory.</summary>
internal static class EtcdCommandLine
{
    /// <summary>The socket on which etcd answers its clients. etcd takes a URL's host and port together as the file's name.</summary>
    public const string ClientSocket = "client:0";

    /// <summary>The socket on which etcd hears its peers.</summary>
    public const string PeerSocket = "peer:0";

    /// <summary>Where the write-ahead log, snapshots and database are.</summary>
    public const string DataDirectory = "data";

    /// <summary>The two arguments by which a process of ours is recognised, as they stand in /proc/PID/cmdline.</summary>
    public const string Mark = "--listen-peer-urls\0unix://" + PeerSocket;

    /// <summary>
    /// Log entries between two snapshots. etcd 3.4's default of 100,000 keeps that many entries in memory; 10,000, the default since
    /// 3.6, bounds that and the replay after a crash.
    /// </summary>
    private const int SnapshotEntries = 10_000;

    /// <summary>The database's size at which etcd refuses writes: its default, given so that it does not change with the version.</summary>
    private const long QuotaBytes = 2L * 1024 * 1024 * 1024;

    /// <summary>The arguments, without the program.</summary>
    public static IReadOnlyList<string> Arguments(EtcdServerOptions options, EtcdStart start)
    {
        var arguments = new List<string>
        {
            "--name", options.Self.ToString(),
            "--data-dir", DataDirectory,
            "--listen-client-urls", "unix://" + ClientSocket,
            "--advertise-client-urls", "unix://" + ClientSocket,
            "--listen-peer-urls", "unix://" + PeerSocket,
            "--initial-advertise-peer-urls", EtcdMembership.PeerUrl(options.Self),
            "--heartbeat-interval", Milliseconds(options.HeartbeatInterval),
            "--election-timeout", Milliseconds(options.ElectionTimeout),
            "--snapshot-count", Number(SnapshotEntries),
            "--max-request-bytes", Number(EtcdStore.RequestBytesMax),
            "--quota-backend-bytes", Number(QuotaBytes),
            // A member that was cut off asks before it disturbs a leader. Default since 3.5.
            "--pre-vote",
            "--strict-reconfig-check",
            // The store says when its history may go.
            "--auto-compaction-retention", "0",
            // Plain gRPC is all that is spoken on the client socket; the v2 API and profiling are off by default.
            "--enable-grpc-gateway=false",
            "--logger", "zap",
            "--log-outputs", "stderr",
        };
        // "existing" also where a member goes on: were its data to vanish, "new" would found a cluster of its own.
        switch (start)
        {
            case EtcdStart.NewCluster founding:
                arguments.AddRange(["--initial-cluster", Cluster([options.Self]), "--initial-cluster-state", "new", "--initial-cluster-token", founding.Token]);
                break;
            case EtcdStart.Join join:
                arguments.AddRange(["--initial-cluster", Cluster(join.Members), "--initial-cluster-state", "existing", "--initial-cluster-token", join.Token]);
                break;
            default:
                arguments.AddRange(["--initial-cluster-state", "existing"]);
                break;
        }

        return arguments;
    }

    /// <summary>
    /// Takes out what would reach etcd behind our back: its own settings (every option can be given as ETCD_*), proxies, which its peer
    /// connections would honour, and the socket on which systemd hears that our service, not etcd, is ready.
    /// </summary>
    public static void CleanEnvironment(IDictionary<string, string?> environment)
    {
        foreach (string name in environment.Keys.ToArray())
        {
            if (name.StartsWith("ETCD_", StringComparison.Ordinal)
                || name.EndsWith("_PROXY", StringComparison.OrdinalIgnoreCase)
                || name == "NOTIFY_SOCKET")
            {
                environment.Remove(name);
            }
        }
    }

    private static string Cluster(IReadOnlyList<EndpointId> members) =>
        string.Join(',', members.Order().Select(static id => $"{id}={EtcdMembership.PeerUrl(id)}"));

    private static string Milliseconds(TimeSpan time) => Number((long)time.TotalMilliseconds);

    private static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);
}
