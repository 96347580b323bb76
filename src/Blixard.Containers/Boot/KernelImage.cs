using System.Buffers.Binary;
using System.Text;

namespace Blixard.Containers.Boot;

/// <summary>Reads what a kernel says of itself.</summary>
internal static class KernelImage
{
    // The setup code of a bzImage is at most 64 sectors; the version's text is in it.
    private const int HeadLength = 64 * 512;

    /// <summary>The version of a bzImage (kernel documentation, arch/x86/boot, "kernel_version").</summary>
    /// <exception cref="ContainerImageException">It is no bzImage.</exception>
    public static string ReadVersion(string path)
    {
        byte[] head = new byte[HeadLength];
        using (FileStream file = File.OpenRead(path))
            head = head[..file.ReadAtLeast(head, head.Length, throwOnEndOfStream: false)];
        return TryReadVersion(head) ?? throw ContainerImageException.Unsupported($"{path} is no bzImage of Linux that states its version");
    }

    internal static string? TryReadVersion(ReadOnlySpan<byte> head)
    {
        if (head.Length < 0x210 || !head[0x202..].StartsWith("HdrS"u8))
            return null;
        int start = BinaryPrimitives.ReadUInt16LittleEndian(head[0x20E..]) + 0x200;
        if (start >= head.Length)
            return null;
        ReadOnlySpan<byte> text = head[start..];
        int end = text.IndexOfAny((byte)' ', (byte)0);
        return end > 0 ? Encoding.ASCII.GetString(text[..end]) : null;
    }
}
