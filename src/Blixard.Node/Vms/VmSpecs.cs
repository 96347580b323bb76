using Blixard.MicroVm.Model;
using Blixard.V1;
using Iroh.Blobs;
using RestartPolicy = Blixard.MicroVm.Model.RestartPolicy;
using VmSpec = Blixard.MicroVm.Model.VmSpec;

namespace Blixard.Node.Vms;

/// <summary>Specifications of VMs between the cluster's records and this machine's host.</summary>
internal static class VmSpecs
{
    // No image's name or tag has one.
    private const char HashMark = '@';

    private const uint VcpusDefault = 1;
    private const ulong MemoryMibDefault = 256;

    /// <summary>The specification with what was left open filled in.</summary>
    public static V1.VmSpec Complete(V1.VmSpec spec)
    {
        V1.VmSpec complete = spec.Clone();
        complete.Vcpus = spec.Vcpus == 0 ? VcpusDefault : spec.Vcpus;
        complete.MemoryMib = spec.MemoryMib == 0 ? MemoryMibDefault : spec.MemoryMib;
        if (complete.Restart == V1.RestartPolicy.Unspecified)
            complete.Restart = V1.RestartPolicy.OnFailure;
        if (complete.OnNodeLoss == NodeLossPolicy.Unspecified)
            complete.OnNodeLoss = NodeLossPolicy.Here;
        if (complete.Desired == DesiredState.Unspecified)
            complete.Desired = DesiredState.Running;
        return complete;
    }

    /// <summary>What a host needs, but for the files: in the kernel's place stands what <see cref="ReadImage"/> reads, until they are here.</summary>
    /// <param name="spec">A complete specification.</param>
    public static VmSpec ToHost(V1.VmSpec spec) => new()
    {
        Name = spec.Name,
        KernelPath = spec.ImageHash.Length == BlobHash.Length ? $"{spec.Image}{HashMark}{new BlobHash(spec.ImageHash.Span)}" : spec.Image,
        Vcpus = (int)Math.Min(spec.Vcpus, int.MaxValue),
        MemoryMiB = (int)Math.Min(spec.MemoryMib, int.MaxValue),
        KernelArguments = spec.KernelArgs.Split(' ', StringSplitOptions.RemoveEmptyEntries),
        RestartPolicy = spec.Restart switch
        {
            V1.RestartPolicy.Never => RestartPolicy.Never,
            V1.RestartPolicy.Always => RestartPolicy.Always,
            _ => RestartPolicy.OnFailure,
        },
        UserNetwork = spec.Network is not null,
        Ports = [.. (spec.Network?.Ports ?? []).Select(port => new PortForward(ToPort(port.HostPort), ToPort(port.GuestPort)))],
    };

    /// <summary>The image's name, and its hash if the record has it: those of former versions do not.</summary>
    /// <param name="kernelPath">What <see cref="ToHost"/> made.</param>
    public static (string Name, BlobHash? Hash) ReadImage(string kernelPath)
    {
        int mark = kernelPath.LastIndexOf(HashMark);
        return mark >= 0 && BlobHash.TryParse(kernelPath[(mark + 1)..], out BlobHash hash) ? (kernelPath[..mark], hash) : (kernelPath, null);
    }

    // What is no port stays none.
    private static int ToPort(uint number) => (int)Math.Min(number, int.MaxValue);

    /// <summary>Whether the VM may be moved to another node, so that it may run here only under the guard.</summary>
    public static bool IsMovable(VmIntent intent) => intent.Spec.OnNodeLoss == NodeLossPolicy.Elsewhere;

    /// <summary>What a record makes this machine do.</summary>
    /// <param name="intent">The record.</param>
    /// <param name="hold">Why VMs that may move must not run now; null: they may.</param>
    public static DesiredVm ToDesired(VmIntent intent, string? hold) => new(
        ToHost(intent.Spec), intent.Spec.Desired != DesiredState.Stopped, (long)intent.Epoch, (long)intent.Starts, intent.Grace?.ToTimeSpan(),
        IsMovable(intent), IsMovable(intent) && hold is not null ? $"stopped: {hold}" : null);
}
