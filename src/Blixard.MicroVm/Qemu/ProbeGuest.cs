namespace Blixard.MicroVm.Qemu;

/// <summary>
/// The guest with which an accelerator is tried: a 64 KiB firmware image of our own that needs nothing else. It enters protected mode,
/// touches 16 MiB of memory page by page, counts down from 2^26 and then tells QEMU's debug exit device to end. TCG needs 0.4 s for it. The
/// counting matters: there are hosts where KVM starts a guest and then runs it so slowly that it does not get there in 10 s.
/// </summary>
internal static class ProbeGuest
{
    /// <summary>QEMU's exit code when the guest got to its end: the debug exit device makes 2 * 0x2a + 1 of the byte 0x2a.</summary>
    public const int ExitCodeDone = 0x55;

    private const int ImageLength = 64 * 1024;

    /// <summary>Where the code below expects to be: linear address 0xffffff00.</summary>
    private const int CodeOffset = 0xff00;

    /// <summary>The processor starts 16 bytes below 4 GiB (Intel SDM volume 3A, §10.1.4).</summary>
    private const int ResetOffset = 0xfff0;

    private static ReadOnlySpan<byte> Code =>
    [
        0xfa,                                           // 00 cli
        0x2e, 0x66, 0x0f, 0x01, 0x16, 0x60, 0xff,       // 01 lgdtl %cs:0xff60
        0x0f, 0x20, 0xc0,                               // 08 mov %cr0, %eax
        0x0c, 0x01,                                     // 0b or $1, %al
        0x0f, 0x22, 0xc0,                               // 0d mov %eax, %cr0
        0x66, 0xea, 0x18, 0xff, 0xff, 0xff, 0x08, 0x00, // 10 ljmpl $0x08, $0xffffff18
        0xb8, 0x10, 0x00, 0x00, 0x00,                   // 18 mov $0x10, %eax
        0x8e, 0xd8,                                     // 1d mov %eax, %ds
        0xbf, 0x00, 0x00, 0x10, 0x00,                   // 1f mov $0x100000, %edi
        0xb9, 0x00, 0x10, 0x00, 0x00,                   // 24 mov $4096, %ecx
        0x89, 0x0f,                                     // 29 mov %ecx, (%edi)
        0x81, 0xc7, 0x00, 0x10, 0x00, 0x00,             // 2b add $4096, %edi
        0x49,                                           // 31 dec %ecx
        0x75, 0xf5,                                     // 32 jnz 0x29
        0xb9, 0x00, 0x00, 0x00, 0x04,                   // 34 mov $0x4000000, %ecx
        0x49,                                           // 39 dec %ecx
        0x75, 0xfd,                                     // 3a jnz 0x39
        0xb0, 0x2a,                                     // 3c mov $0x2a, %al
        0xe6, 0xf4,                                     // 3e out %al, $0xf4
        0xf4,                                           // 40 hlt
        0xeb, 0xfd,                                     // 41 jmp 0x40
        0x90, 0x90, 0x90, 0x90, 0x90,                   // 43 padding
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, // 48 descriptor 0x00: null
        0xff, 0xff, 0x00, 0x00, 0x00, 0x9a, 0xcf, 0x00, // 50 descriptor 0x08: code, 0 to 4 GiB
        0xff, 0xff, 0x00, 0x00, 0x00, 0x92, 0xcf, 0x00, // 58 descriptor 0x10: data, 0 to 4 GiB
        0x17, 0x00, 0x48, 0xff, 0xff, 0xff,             // 60 limit and address of the descriptor table
    ];

    /// <summary>The arguments that run the guest in the image at <paramref name="imagePath"/>, without the program's name.</summary>
    public static IReadOnlyList<string> Arguments(string accelerationName, string imagePath) =>
    [
        "-machine", $"microvm,accel={accelerationName}",
        "-cpu", "max",
        "-m", "size=32M",
        "-nodefaults", "-no-user-config", "-no-reboot",
        "-display", "none",
        "-bios", imagePath,
        "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04",
    ];

    /// <summary>The firmware image.</summary>
    public static byte[] BuildImage()
    {
        byte[] image = new byte[ImageLength];
        image.AsSpan().Fill(0xf4);
        Code.CopyTo(image.AsSpan(CodeOffset));
        ReadOnlySpan<byte> jump = [0xe9, 0x0d, 0xff]; // jmp 0xff00: -0xf3 from the next instruction
        jump.CopyTo(image.AsSpan(ResetOffset));
        return image;
    }
}
