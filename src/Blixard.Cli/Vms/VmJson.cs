using System.Text.Json.Nodes;
using Blixard.Cli.Cluster;
using Blixard.V1;
using Google.Protobuf.WellKnownTypes;

namespace Blixard.Cli.Vms;

/// <summary>A VM as JSON.</summary>
internal static class VmJson
{
    public static JsonObject Create(VmRecord vm) => new()
    {
        ["name"] = vm.Spec.Name,
        ["state"] = StatusText.Name(vm.Status?.State ?? VmState.Created),
        ["reason"] = vm.Status?.Reason ?? "",
        ["node"] = vm.Status?.Node ?? "",
        ["image"] = vm.Spec.Image,
        ["vcpus"] = vm.Spec.Vcpus,
        ["memoryMib"] = vm.Spec.MemoryMib,
        ["desired"] = StatusText.Name(vm.Spec.Desired),
        ["restart"] = StatusText.Name(vm.Spec.Restart),
        ["onNodeLoss"] = StatusText.Name(vm.Spec.OnNodeLoss),
        ["kernelArgs"] = vm.Spec.KernelArgs,
        ["network"] = VmText.Network(vm),
        ["ports"] = new JsonArray([.. (vm.Spec.Network?.Ports ?? []).Select(port => new JsonObject { ["host"] = VmText.HostAddress(port), ["guest"] = port.GuestPort })]),
        ["restarts"] = vm.Status?.Restarts ?? 0,
        ["epoch"] = vm.Status?.Epoch ?? 0,
        ["acceleration"] = vm.Status?.Acceleration ?? "",
        ["movedFrom"] = vm.MovedFrom,
        ["movedReason"] = vm.MovedReason,
        ["movedAt"] = Time(vm.MovedAt),
        ["createdAt"] = Time(vm.CreatedAt),
        ["startedAt"] = Time(vm.Status?.StartedAt),
        ["finishedAt"] = Time(vm.Status?.FinishedAt),
    };

    /// <summary>RFC 3339, null if there is none.</summary>
    public static string? Time(Timestamp? time) => time?.ToDateTimeOffset().ToString("yyyy-MM-ddTHH:mm:ss.fffZ", System.Globalization.CultureInfo.InvariantCulture);
}
