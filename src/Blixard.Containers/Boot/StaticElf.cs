using System.Buffers.Binary;

namespace Blixard.Containers.Boot;

/// <summary>Looks at a program's ELF headers.</summary>
internal static class StaticElf
{
    private const int InterpreterSegment = 3;

    /// <summary>Whether it is a program for x86-64 that needs no dynamic loader.</summary>
    public static bool IsStatic(ReadOnlySpan<byte> elf)
    {
        const int SegmentLength = 56;
        if (elf.Length < 64 || !elf.StartsWith("\u007fELF\u0002\u0001"u8) || BinaryPrimitives.ReadUInt16LittleEndian(elf[18..]) != 62)
            return false;
        ulong start = BinaryPrimitives.ReadUInt64LittleEndian(elf[32..]);
        int count = BinaryPrimitives.ReadUInt16LittleEndian(elf[56..]);
        if (count == 0 || start > (ulong)elf.Length || (ulong)count * SegmentLength > (ulong)elf.Length - start)
            return false;
        for (int i = 0; i < count; i++)
            if (BinaryPrimitives.ReadUInt32LittleEndian(elf[((int)start + (i * SegmentLength))..]) == InterpreterSegment)
                return false;
        return true;
    }
}
