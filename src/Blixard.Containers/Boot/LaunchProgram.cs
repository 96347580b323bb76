using System.Buffers.Binary;

namespace Blixard.Containers.Boot;

/// <summary>
/// Builds a static ELF program for Linux on x86-64 that makes a fixed list of system calls, one after the other. It is the step between the
/// init script and the container's program: shells and busybox can neither set several groups by number nor hand over arguments and
/// environment byte for byte, and a compiled program would need a compiler on the user's machine. Not thread-safe.
/// </summary>
internal sealed class LaunchProgram
{
    // Where the program is loaded: the usual place of programs that are not relocatable.
    private const ulong BaseAddress = 0x400000;

    private const int HeadersLength = 64 + 56;

    // One call: its number, four arguments, and the exit code when it fails (0 = go on).
    private const int CallLength = 6 * 8;

    private const int ExitNumber = 60;

    private readonly List<ulong[]> _calls = [];
    private readonly List<byte> _data = [];

    // rbx goes over the table of calls. The table's address is put in at 2.
    private static readonly byte[] s_code =
    [
        0x48, 0xBB, 0, 0, 0, 0, 0, 0, 0, 0,     //        mov  rbx, TABLE
        0x48, 0x8B, 0x03,                       // call:  mov  rax, [rbx]
        0x48, 0x8B, 0x7B, 0x08,                 //        mov  rdi, [rbx+8]
        0x48, 0x8B, 0x73, 0x10,                 //        mov  rsi, [rbx+16]
        0x48, 0x8B, 0x53, 0x18,                 //        mov  rdx, [rbx+24]
        0x4C, 0x8B, 0x53, 0x20,                 //        mov  r10, [rbx+32]
        0x0F, 0x05,                             //        syscall
        0x48, 0x85, 0xC0,                       //        test rax, rax
        0x79, 0x10,                             //        jns  next
        0x48, 0x8B, 0x7B, 0x28,                 //        mov  rdi, [rbx+40]
        0x48, 0x85, 0xFF,                       //        test rdi, rdi
        0x74, 0x07,                             //        jz   next
        0xB8, ExitNumber, 0, 0, 0,              //        mov  eax, exit
        0x0F, 0x05,                             //        syscall
        0x48, 0x83, 0xC3, CallLength,           // next:  add  rbx, 48
        0xEB, 0xD0,                             //        jmp  call
    ];

    /// <summary>Puts bytes into the program's data, which it may write to, at an address divisible by 8.</summary>
    public ulong Data(ReadOnlySpan<byte> content)
    {
        while (_data.Count % 8 != 0)
            _data.Add(0);
        ulong address = DataAddress + (ulong)_data.Count;
        _data.AddRange(content);
        return address;
    }

    /// <summary>Puts a zero-terminated text into the data.</summary>
    public ulong Text(string byteText) => Data([.. ByteText.ToBytes(byteText), 0]);

    /// <summary>Puts an array of addresses, ended by 0, into the data.</summary>
    public ulong Pointers(IEnumerable<ulong> addresses) => Numbers([.. addresses, 0]);

    /// <summary>Puts 64-bit numbers into the data.</summary>
    public ulong Numbers(IReadOnlyList<ulong> numbers)
    {
        byte[] bytes = new byte[numbers.Count * 8];
        for (int i = 0; i < numbers.Count; i++)
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(i * 8), numbers[i]);
        return Data(bytes);
    }

    /// <summary>Adds a system call.</summary>
    /// <param name="number">Its number on x86-64.</param>
    /// <param name="exitCode">What the program exits with if the call fails; 0 = it goes on.</param>
    /// <param name="arguments">At most four.</param>
    public void Call(int number, int exitCode, params ReadOnlySpan<ulong> arguments)
    {
        ulong[] call = new ulong[CallLength / 8];
        call[0] = (ulong)number;
        arguments.CopyTo(call.AsSpan(1, 4));
        call[5] = (ulong)exitCode;
        _calls.Add(call);
    }

    /// <summary>The finished program.</summary>
    /// <param name="exitCode">What it exits with after the last call.</param>
    public byte[] Build(int exitCode)
    {
        // The data's place does not depend on the number of calls, so the table comes last.
        Call(ExitNumber, 0, (ulong)exitCode);
        ulong table = Numbers([.. _calls.SelectMany(static call => call)]);
        byte[] program = new byte[HeadersLength + s_code.Length + PaddingLength + _data.Count];
        WriteHeaders(program);
        s_code.CopyTo(program, HeadersLength);
        BinaryPrimitives.WriteUInt64LittleEndian(program.AsSpan(HeadersLength + 2), table);
        _data.CopyTo(program, HeadersLength + s_code.Length + PaddingLength);
        return program;
    }

    private static int PaddingLength => (8 - ((HeadersLength + s_code.Length) % 8)) % 8;

    private static ulong DataAddress => BaseAddress + HeadersLength + (ulong)(s_code.Length + PaddingLength);

    // One header and one segment that holds all (System V ABI, "Object Files").
    private static void WriteHeaders(Span<byte> target)
    {
        ((ReadOnlySpan<byte>)[0x7F, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1]).CopyTo(target);
        BinaryPrimitives.WriteUInt16LittleEndian(target[16..], 2);      // an executable
        BinaryPrimitives.WriteUInt16LittleEndian(target[18..], 62);     // x86-64
        BinaryPrimitives.WriteUInt32LittleEndian(target[20..], 1);
        BinaryPrimitives.WriteUInt64LittleEndian(target[24..], BaseAddress + HeadersLength);
        BinaryPrimitives.WriteUInt64LittleEndian(target[32..], 64);     // the segment's header
        BinaryPrimitives.WriteUInt16LittleEndian(target[52..], 64);
        BinaryPrimitives.WriteUInt16LittleEndian(target[54..], 56);
        BinaryPrimitives.WriteUInt16LittleEndian(target[56..], 1);
        Span<byte> segment = target[64..];
        BinaryPrimitives.WriteUInt32LittleEndian(segment, 1);           // to be loaded
        BinaryPrimitives.WriteUInt32LittleEndian(segment[4..], 7);      // read, write, execute
        BinaryPrimitives.WriteUInt64LittleEndian(segment[16..], BaseAddress);
        BinaryPrimitives.WriteUInt64LittleEndian(segment[24..], BaseAddress);
        BinaryPrimitives.WriteUInt64LittleEndian(segment[32..], (ulong)target.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(segment[40..], (ulong)target.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(segment[48..], 4096);
    }
}
