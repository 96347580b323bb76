using System.Net;
using System.Net.Sockets;
using Blixard.Cluster.Liveness;
using Blixard.Node.Configuration;
using Iroh;
using Iroh.Lookup;
using Iroh.NetReport;

namespace Blixard.Node;

/// <summary>What a node is started with. Immutable; <see cref="Validate"/> says whether it can be used.</summary>
public sealed record NodeOptions
{
    /// <summary>The node's name in the cluster: 1 to 63 characters of a-z, 0-9 and '-', beginning and ending with a letter or
    /// digit. Null, the default: the name it had before, or else the machine's made valid.</summary>
    public string? Name { get; init; }

    /// <summary>Where the node keeps everything. Default: <see cref="NodeDefaults.DataDirectory"/>.</summary>
    public string DataDirectory { get; init; } = NodeDefaults.DataDirectory();

    /// <summary>UDP addresses of the P2P endpoint, at most one of each family; port 0 = the port it had before if that is
    /// free, else any. Empty, the default: all addresses of both families.</summary>
    public IReadOnlyList<IPEndPoint> Bind { get; init; } = [];

    /// <summary>Relays at which other nodes find this one while no direct way is known; the nearest is home. Empty, the default: none.</summary>
    public IReadOnlyList<RelayConfiguration> Relays { get; init; } = [];

    /// <summary>Whether P2P may go over relays, those of other nodes too. Default: true.</summary>
    public bool UseRelays { get; init; } = true;

    /// <summary>STUN servers that tell the node's public address. Empty, the default: none.</summary>
    public IReadOnlyList<StunServer> StunServers { get; init; } = [];

    /// <summary>Whether a node with relays asks the gateway to forward a port. Default: true.</summary>
    public bool MapPorts { get; init; } = true;

    /// <summary>Where the node publishes its address, and finds members and the servers of tickets by their id when the addresses that it knows
    /// are old. Default: nowhere; then the records of the members are what it knows.</summary>
    public LookupConfiguration Lookups { get; init; } = LookupConfiguration.None;

    /// <summary>Where gRPC is served to other nodes; port 0 as in <see cref="Bind"/>. Default: all IPv4 addresses.</summary>
    public IPEndPoint Grpc { get; init; } = new(IPAddress.Any, 0);

    /// <summary>Where metrics and health are shown over plain HTTP; port 0 = any free one. Null, the default: nowhere.</summary>
    public IPEndPoint? Http { get; init; }

    /// <summary>The OpenTelemetry collector that gets the metrics: an http or https address, with the path /v1/metrics for OTLP over
    /// HTTP, without a path for OTLP over gRPC. Null, the default: none.</summary>
    public Uri? Otlp { get; init; }

    /// <summary>Whether the node links to others over P2P. False: calls go over gRPC only.</summary>
    public bool P2p { get; init; } = true;

    /// <summary>Virtual CPUs that it offers, at most 4096. Null, the default: those of the machine.</summary>
    public int? Vcpus { get; init; }

    /// <summary>Memory for VMs in MiB. Null, the default: what the machine has, less a quarter for itself.</summary>
    public long? MemoryMib { get; init; }

    /// <summary>Labels for placement: at most 64, keys of 1 to 63 and values of 0 to 253 characters.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>();

    /// <summary>How long the node's lease lives without a renewal: whole seconds from 2 s to 5 min. When it has ended, the node is lost and VMs
    /// that may move are started elsewhere. Default: 6 s, so that a loss is told within 10 s.</summary>
    public TimeSpan NodeTtl { get; init; } = LeaseTimes.TimeToLiveDefault;

    /// <summary>Bytes that the contents of images may take on this node, at least <see cref="NodeDefaults.ImageQuotaBytesMin"/>. Null, the
    /// default: what the disk has.</summary>
    public long? ImageQuotaBytes { get; init; }

    /// <summary>The QEMU program: a path, or a name that is looked up in PATH.</summary>
    public string QemuProgram { get; init; } = "qemu-system-x86_64";

    /// <summary>The etcd program, for servers of a cluster whose engine is etcd: a path, or a name that is looked up in PATH.</summary>
    public string EtcdProgram { get; init; } = "etcd";

    /// <summary>Says in one sentence what is wrong first, or null if the options can be used. Touches nothing.</summary>
    public string? Validate()
    {
        if (Name is { } name && NodeName.Check(name) is { } wrongName)
            return wrongName;
        if (DataDirectory.Length == 0)
            return "The data directory is empty.";
        if (EtcdProgram.Length == 0)
            return "The etcd program is empty: name one, or a path.";
        if (Bind.Count > 2 || Bind.Select(address => address.AddressFamily).Distinct().Count() != Bind.Count)
            return "At most one UDP address of each family (IPv4, IPv6) can be bound.";
        if (Relays.Count > 0 && !UseRelays)
            return "Relays are named, and relays are switched off: one of the two must go.";
        if (Otlp is { } collector && !(collector.IsAbsoluteUri && collector.Scheme is "http" or "https"))
            return $"'{collector}' is no address of a collector, such as http://127.0.0.1:4317.";
        if (Bind.Append(Grpc).Append(Http ?? Grpc).Any(address => address.AddressFamily is not (AddressFamily.InterNetwork or AddressFamily.InterNetworkV6)))
            return "Addresses are IPv4 or IPv6 with a port, such as 0.0.0.0:7000.";
        if (Vcpus is < 0 or > NodeDefaults.VcpusMax)
            return $"The node offers {Vcpus} virtual CPUs; 0 to {NodeDefaults.VcpusMax} are possible.";
        if (MemoryMib is < 0 or > NodeDefaults.MemoryMibMax)
            return $"The node offers {MemoryMib} MiB of memory; 0 to {NodeDefaults.MemoryMibMax} are possible.";
        if (ImageQuotaBytes < NodeDefaults.ImageQuotaBytesMin)
            return $"The images of the node may take {ImageQuotaBytes} bytes; at least {NodeDefaults.ImageQuotaBytesMin} are needed.";
        if (NodeTtl < LeaseTimes.TimeToLiveMin || NodeTtl > LeaseTimes.TimeToLiveMax || NodeTtl.Ticks % TimeSpan.TicksPerSecond != 0)
            return $"A node's lease lives for {LeaseTimes.TimeToLiveMin.TotalSeconds} to {LeaseTimes.TimeToLiveMax.TotalSeconds} whole seconds, not {NodeTtl.TotalSeconds}.";
        return LabelRules.Check(Labels);
    }
}
