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
            vm.Status?.Reason ?? "",
        ]));
}
