using Blixard.Testing.Chaos.Cases;

namespace Blixard.Testing.Chaos;

/// <summary>All cases, and the cluster that they are made for.</summary>
public static class ChaosCases
{
    /// <summary>The server whose data is on a small disk.</summary>
    public const string SmallDiskServer = "c";

    /// <summary>The worker.</summary>
    public const string Worker = "w";

    // etcd reserves two log segments of 64 MiB; the rest is for its database and the node.
    private const int SmallDiskMib = 192;

    /// <summary>The cases, in the order in which they disturb the cluster more and more.</summary>
    public static IReadOnlyList<ChaosCase> All { get; } =
    [
        new("udp-pair", NetworkCases.UdpBetweenOnePairAsync),
        new("udp-everywhere", NetworkCases.UdpEverywhereAsync),
        new("tcp-everywhere", NetworkCases.TcpEverywhereAsync),
        new("one-cut-off", NetworkCases.OneServerCutOffAsync),
        new("all-cut-off", NetworkCases.AllCutOffAsync),
        new("etcd-killed", KillCases.EtcdAloneAsync),
        new("each-killed", KillCases.EachServerAsync),
        new("leader-killed", KillCases.LeaderAsync),
        new("worker-cut-off", WorkerCases.CutOffAsync),
        new("disk-full", DiskCases.FollowerAsync),
        new("wiped", MembershipCases.WipedAsync),
    ];

    /// <summary>A case by its name.</summary>
    public static ChaosCase Find(string name) => All.Single(one => one.Name == name);

    /// <summary>Three servers with etcd and a worker to which VMs come first. A lost node is noticed soon, so that cases are short.</summary>
    /// <param name="programs">The folder with blixard.dll and Blixard.FakeQemu.dll.</param>
    public static ChaosClusterOptions Cluster(string programs) => new()
    {
        Program = Path.Combine(programs, "blixard.dll"),
        VmProgram = Path.Combine(programs, "Blixard.FakeQemu.dll"),
        Workers = [Worker],
        OptionsOf = new Dictionary<string, IReadOnlyList<string>> { [Worker] = ["--memory", "65536"] },
        Environment = new Dictionary<string, string> { ["BLIXARD_MEMORY_MIB"] = "2048", ["BLIXARD_VCPUS"] = "8", ["BLIXARD_NODE_TTL"] = "3" },
        Disks = new Dictionary<string, int> { [SmallDiskServer] = SmallDiskMib },
    };
}
