namespace Blixard.MicroVm.Qemu;

/// <summary>What executes the guest's instructions.</summary>
public enum Accelerator
{
    /// <summary>The processor itself, through the kernel's KVM.</summary>
    Kvm,

    /// <summary>QEMU's translator: works everywhere, and much slower.</summary>
    Tcg,
}

/// <summary>Which accelerator is used on this machine and why.</summary>
/// <param name="Accelerator">The accelerator.</param>
/// <param name="Explanation">One sentence for people.</param>
public sealed record Acceleration(Accelerator Accelerator, string Explanation);
