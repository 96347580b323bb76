using System.Globalization;
using System.Net;

namespace Blixard.Testing.Namespaces;

/// <summary>
/// Machines on a network of their own, made of network namespaces: each has one address and reaches the others and nothing else. What
/// passes between them can be blocked by protocol. Everything is gone after <see cref="DisposeAsync"/>; what a killed run left is
/// removed by the next one. Needs Linux, root, and the tools <c>ip</c> and <c>nft</c>. Thread-safe.
/// </summary>
public sealed class NetworkLab : IAsyncDisposable
{
    /// <summary>The most machines: one network of 254 addresses, and far fewer fit on a machine.</summary>
    public const int HostsMax = 32;

    // The network lies in a namespace of its own, so that neither its bridge nor its addresses can meet those of the machine.
    private const string SwitchName = "switch";

    private readonly Dictionary<(string From, string To), LabTraffic> _blocked = [];
    private readonly SemaphoreSlim _writing = new(1, 1);
    private readonly string _switch;

    private NetworkLab(string name, IReadOnlyList<LabHost> hosts)
    {
        Folder = Path.Combine(Path.GetTempPath(), name);
        _switch = $"{name}-{SwitchName}";
        Hosts = hosts;
    }

    /// <summary>The machines, in the order in which they were named.</summary>
    public IReadOnlyList<LabHost> Hosts { get; }

    /// <summary>A folder for data directories; it goes with the lab.</summary>
    public string Folder { get; }

    /// <summary>A machine by its name.</summary>
    public LabHost this[string name] => Hosts.Single(host => host.Name == name);

    /// <summary>Why no lab can be made on this machine, for people; null if one can.</summary>
    public static string? WhyNot()
    {
        if (!OperatingSystem.IsLinux())
            return "network namespaces need Linux";
        if (!Environment.IsPrivilegedProcess)
            return "network namespaces need root";
        string[] missing = [.. new[] { "ip", "nft", "mount", "umount" }.Where(tool => !LabCommand.Exists(tool))];
        return missing.Length > 0 ? $"{string.Join(" and ", missing)} not found (Debian: apt-get install iproute2 nftables mount)" : null;
    }

    /// <summary>Makes a lab, after it has removed what dead runs left.</summary>
    /// <param name="names">The machines' names, each once: small letters and digits, at most <see cref="HostsMax"/>.</param>
    /// <exception cref="LabException">A tool failed.</exception>
    public static async Task<NetworkLab> CreateAsync(params IReadOnlyList<string> names)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(names.Count, HostsMax);
        await LabLeftovers.RemoveAsync().ConfigureAwait(false);
        string name = LabLeftovers.NewName();
        LabHost[] hosts = [.. names.Select((host, index) => new LabHost(host, $"{name}-{host}", new IPAddress([10, 213, 0, (byte)(index + 1)])))];
        var lab = new NetworkLab(name, hosts);
        try
        {
            await lab.BuildAsync().ConfigureAwait(false);
            return lab;
        }
        catch
        {
            await lab.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Blocks traffic both ways between two machines, beside what is blocked already. Nobody is told: packets vanish.</summary>
    public Task BlockAsync(LabTraffic traffic, string one, string other) => ChangeAsync(blocked =>
    {
        blocked[(one, other)] = blocked.GetValueOrDefault((one, other)) | traffic;
        blocked[(other, one)] = blocked.GetValueOrDefault((other, one)) | traffic;
    });

    /// <summary>Blocks traffic between a machine and all others.</summary>
    public Task IsolateAsync(LabTraffic traffic, string host) => ChangeAsync(blocked =>
    {
        foreach (LabHost other in Hosts.Where(other => other.Name != host))
        {
            blocked[(host, other.Name)] = blocked.GetValueOrDefault((host, other.Name)) | traffic;
            blocked[(other.Name, host)] = blocked.GetValueOrDefault((other.Name, host)) | traffic;
        }
    });

    /// <summary>Blocks traffic between all machines.</summary>
    public Task BlockEverywhereAsync(LabTraffic traffic) => ChangeAsync(blocked =>
    {
        foreach (LabHost from in Hosts)
        {
            foreach (LabHost to in Hosts.Where(to => to != from))
                blocked[(from.Name, to.Name)] = blocked.GetValueOrDefault((from.Name, to.Name)) | traffic;
        }
    });

    /// <summary>Lets everything pass again.</summary>
    public Task HealAsync() => ChangeAsync(blocked => blocked.Clear());

    /// <summary>Makes a data directory on a disk of its own of a limited size, which can become full.</summary>
    /// <param name="directory">A folder below <see cref="Folder"/>; created if it is not there, hidden if it is.</param>
    /// <param name="sizeMib">Its size in MiB.</param>
    public async Task<LabDisk> MountDiskAsync(string directory, int sizeMib)
    {
        if (!directory.StartsWith(Folder + "/", StringComparison.Ordinal))
            throw new ArgumentException($"the lab mounts below {Folder} only", nameof(directory));
        Directory.CreateDirectory(directory);
        string size = sizeMib.ToString(CultureInfo.InvariantCulture);
        await LabCommand.RunAsync("mount", ["-t", "tmpfs", "-o", $"size={size}m,mode=0700", "blixard-lab", directory]).ConfigureAwait(false);
        return new LabDisk(directory);
    }

    /// <summary>Ends every process of the lab and removes the lab.</summary>
    public async ValueTask DisposeAsync()
    {
        HashSet<string> ours = [_switch, .. Hosts.Select(host => host.Namespace)];
        foreach (string name in await LabLeftovers.ListNamespacesAsync().ConfigureAwait(false))
        {
            if (ours.Contains(name))
                await LabLeftovers.RemoveNamespaceAsync(name).ConfigureAwait(false);
        }

        if (Directory.Exists(Folder))
            await LabLeftovers.RemoveFolderAsync(Folder).ConfigureAwait(false);
        _writing.Dispose();
    }

    private async Task BuildAsync()
    {
        Directory.CreateDirectory(Folder);
        await LabCommand.RunAsync("ip", ["netns", "add", _switch]).ConfigureAwait(false);
        // Without delays of a spanning tree there is nothing to wait for.
        await LabCommand.RunAsync("ip", ["-n", _switch, "-batch", "-"], "link add lab type bridge forward_delay 0\nlink set lab up\n").ConfigureAwait(false);
        for (int i = 0; i < Hosts.Count; i++)
        {
            LabHost host = Hosts[i];
            await LabCommand.RunAsync("ip", ["netns", "add", host.Namespace]).ConfigureAwait(false);
            string port = string.Create(CultureInfo.InvariantCulture, $"port{i}");
            await LabCommand.RunAsync(
                "ip", ["-n", _switch, "-batch", "-"],
                $"link add {port} type veth peer name eth0 netns {host.Namespace}\nlink set {port} master lab\nlink set {port} up\n").ConfigureAwait(false);
            await LabCommand.RunAsync(
                "ip", ["-n", host.Namespace, "-batch", "-"],
                $"link set lo up\naddress add {host.Address}/24 dev eth0\nlink set eth0 up\n").ConfigureAwait(false);
        }
    }

    private async Task ChangeAsync(Action<Dictionary<(string From, string To), LabTraffic>> change)
    {
        await _writing.WaitAsync().ConfigureAwait(false);
        try
        {
            change(_blocked);
            await Task.WhenAll(Hosts.Select(host => LabCommand.RunAsync("ip", ["netns", "exec", host.Namespace, "nft", "-f", "-"], RulesOf(host)))).ConfigureAwait(false);
        }
        finally
        {
            _writing.Release();
        }
    }

    private string RulesOf(LabHost host) => LabFirewall.Rules(
        _blocked.Where(pair => pair.Key.To == host.Name).Select(pair => KeyValuePair.Create(this[pair.Key.From].Address, pair.Value)));
}
