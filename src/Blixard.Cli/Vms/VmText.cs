using Blixard.Cli.Cluster;
using Blixard.Cli.Output;
using Blixard.V1;

namespace Blixard.Cli.Vms;

/// <summary>VMs as text.</summary>
internal static class VmText
{
    public static string Table(IEnumerable<VmRecord> vms) => TextTable.Render(
        ["VM", "STATE", "NODE", "IMAGE", "CPU", "MEMORY", "NETWORK", "REASON"],
        vms.Select(vm => (string[])
        [
            vm.Spec.Name,
            StatusText.Name(vm.Status?.State ?? VmState.Created),
            vm.Status?.Node ?? "",
            vm.Spec.Image,
            $"{vm.Spec.Vcpus}",
            $"{vm.Spec.MemoryMib} MiB",
            vm.Spec.Network is { Ports.Count: > 0 } ? Ports(vm) : Network(vm),
            Reason(vm),
        ]));

    /// <summary>What becomes of a VM that shall run, and how to see it.</summary>
    public static string WhatNext(VmRecord vm, string what) =>
        $"{vm.Spec.Name} {what}\nIts state: blixard vm ls    its console: blixard vm logs -f {vm.Spec.Name}";

    /// <summary>Which network card it has: "user" or "none".</summary>
    public static string Network(VmRecord vm) => vm.Spec.Network is null ? "none" : "user";

    /// <summary>Its published ports, such as "127.0.0.1:8080 -> 80"; "" if there are none.</summary>
    public static string Ports(VmRecord vm) =>
        string.Join(", ", (vm.Spec.Network?.Ports ?? []).Select(port => $"{HostAddress(port)} -> {port.GuestPort}"));

    /// <summary>Where on its node a published port is.</summary>
    public static string HostAddress(PublishedPort port) => $"127.0.0.1:{port.HostPort}";

    /// <summary>For the end of a sentence about a new VM: on which node its ports are, if it publishes any.</summary>
    public static string Published(VmRecord vm) => vm.Spec.Network is { Ports.Count: > 0 } ? $"\nPublished on {vm.Status.Node}: {Ports(vm)}" : "";

    // "running" as the reason of running says nothing; how it runs does.
    private static string Reason(VmRecord vm) => vm.Status switch
    {
        { State: VmState.Running, Acceleration: { Length: > 0 } acceleration } => $"on {acceleration}",
        { } status => status.Reason,
        null => "",
    };
}
