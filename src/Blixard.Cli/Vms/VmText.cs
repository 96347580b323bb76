using Blixard.Cli.Cluster;
using Blixard.Cli.Output;
using Blixard.V1;

namespace Blixard.Cli.Vms;

/// <summary>VMs as text.</summary>
internal static class VmText
{
    public static string Table(IEnumerable<VmRecord> vms) => TextTable.Render(
        ["VM", "STATE", "NODE", "IMAGE", "CPU", "MEMORY", "REASON"],
        vms.Select(vm => (string[])
        [
            vm.Spec.Name,
            StatusText.Name(vm.Status?.State ?? VmState.Created),
            vm.Status?.Node ?? "",
            vm.Spec.Image,
            $"{vm.Spec.Vcpus}",
            $"{vm.Spec.MemoryMib} MiB",
            Reason(vm),
        ]));

    /// <summary>What becomes of a VM that shall run, and how to see it.</summary>
    public static string WhatNext(VmRecord vm, string what) =>
        $"{vm.Spec.Name} {what}\nIts state: blixard vm ls    its console: blixard vm logs -f {vm.Spec.Name}";

    // "running" as the reason of running says nothing; how it runs does.
    private static string Reason(VmRecord vm) => vm.Status switch
    {
        { State: VmState.Running, Acceleration: { Length: > 0 } acceleration } => $"on {acceleration}",
        { } status => status.Reason,
        null => "",
    };
}
