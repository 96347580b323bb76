using System.Collections.Immutable;
using Blixard.V1;

namespace Blixard.Cluster.Placement;

/// <summary>A node as placement sees it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="IsReady">Whether it can take new VMs now.</param>
/// <param name="Vcpus">Virtual CPUs that it offers in all.</param>
/// <param name="MemoryMib">Memory that it offers in all, in MiB.</param>
/// <param name="UsedVcpus">Virtual CPUs of the VMs that are placed on it.</param>
/// <param name="UsedMemoryMib">Memory of the VMs that are placed on it, in MiB.</param>
/// <param name="Labels">Its labels.</param>
public sealed record PlacementNode(
    string Name, bool IsReady, uint Vcpus, ulong MemoryMib, uint UsedVcpus, ulong UsedMemoryMib, IReadOnlyDictionary<string, string> Labels)
{
    /// <summary>Memory that is still free, in MiB.</summary>
    public ulong FreeMemoryMib => UsedMemoryMib < MemoryMib ? MemoryMib - UsedMemoryMib : 0;

    /// <summary>Virtual CPUs that are still free.</summary>
    public uint FreeVcpus => UsedVcpus < Vcpus ? Vcpus - UsedVcpus : 0;

    /// <summary>The host ports that the VMs placed on it publish, each with the VM's name. Default: none.</summary>
    public ImmutableSortedDictionary<uint, string> PublishedPorts { get; init; } = ImmutableSortedDictionary<uint, string>.Empty;

    /// <summary>The node as it is when one more VM is placed on it. A port that another VM has stays that one's.</summary>
    public PlacementNode With(VmSpec vm)
    {
        ArgumentNullException.ThrowIfNull(vm);
        ImmutableSortedDictionary<uint, string> ports = PublishedPorts;
        foreach (PublishedPort port in vm.Network?.Ports ?? [])
            ports = ports.ContainsKey(port.HostPort) ? ports : ports.Add(port.HostPort, vm.Name);
        return this with { UsedVcpus = UsedVcpus + vm.Vcpus, UsedMemoryMib = UsedMemoryMib + vm.MemoryMib, PublishedPorts = ports };
    }
}

/// <summary>What a VM needs.</summary>
/// <param name="Vcpus">Virtual CPUs.</param>
/// <param name="MemoryMib">Memory in MiB.</param>
/// <param name="Node">The node that must run it, "" if any may.</param>
/// <param name="Labels">Labels that the node must carry.</param>
/// <param name="HostPorts">Ports that it publishes on the node.</param>
public sealed record PlacementRequest(
    uint Vcpus, ulong MemoryMib, string Node, IReadOnlyDictionary<string, string> Labels, IReadOnlyList<uint> HostPorts)
{
    /// <summary>What a VM's specification asks for, on the node that it names, if it names one.</summary>
    public static PlacementRequest Of(VmSpec vm)
    {
        ArgumentNullException.ThrowIfNull(vm);
        return new PlacementRequest(vm.Vcpus, vm.MemoryMib, vm.Node, vm.NodeLabels, [.. (vm.Network?.Ports ?? []).Select(port => port.HostPort)]);
    }
}

/// <summary>Where a VM goes, or why it goes nowhere.</summary>
/// <param name="Node">The chosen node's name, null if there is none.</param>
/// <param name="Reason">Why, for people.</param>
public sealed record PlacementDecision(string? Node, string Reason);
