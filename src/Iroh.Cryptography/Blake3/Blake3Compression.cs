using System.Numerics;
using System.Runtime.CompilerServices;

namespace Iroh.Cryptography;

/// <summary>The compression function of one block at a time (§2.2), and with it the scalar twin of the vector kernels.</summary>
internal static class Blake3Compression
{
    /// <summary>Bytes of a block, the input of one compression.</summary>
    public const int BlockLength = 64;

    /// <summary>32-bit words of a block.</summary>
    public const int BlockWords = 16;

    /// <summary>32-bit words of a chaining value or a key.</summary>
    public const int ValueWords = 8;

    /// <summary>Rounds of a compression.</summary>
    public const int Rounds = 7;

    /// <summary>The initial value (§2.2, table 1), which takes the place of a key where there is none.</summary>
    public static ReadOnlySpan<uint> InitialValue =>
    [
        0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
    ];

    /// <summary>Which word of the block each step of each round takes: the permutation of §2.2, table 2, applied again and again.</summary>
    public static ReadOnlySpan<byte> Schedule =>
    [
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
        2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8,
        3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1,
        10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6,
        12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4,
        9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7,
        11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13,
    ];

    /// <summary>Compresses one block.</summary>
    /// <param name="value">The chaining value, 8 words.</param>
    /// <param name="block">The block, 16 words, padded with zeros.</param>
    /// <param name="counter">The chunk's index, 0 for parents, the output block's index for the root.</param>
    /// <param name="length">Bytes of the block without padding.</param>
    /// <param name="flags">What kind of block it is.</param>
    /// <param name="output">8 words for a chaining value or 16 for the full output (§2.6); may be <paramref name="value"/>.</param>
    public static void Compress(
        ReadOnlySpan<uint> value, ReadOnlySpan<uint> block, ulong counter, uint length, Blake3Flags flags, Span<uint> output)
    {
        ReadOnlySpan<uint> initial = InitialValue;
        uint v0 = value[0], v1 = value[1], v2 = value[2], v3 = value[3], v4 = value[4], v5 = value[5], v6 = value[6], v7 = value[7];
        uint v8 = initial[0], v9 = initial[1], v10 = initial[2], v11 = initial[3];
        uint v12 = (uint)counter, v13 = (uint)(counter >> 32), v14 = length, v15 = (uint)flags;

        for (ReadOnlySpan<byte> step = Schedule; step.Length >= BlockWords; step = step[BlockWords..])
        {
            Mix(ref v0, ref v4, ref v8, ref v12, block[step[0]], block[step[1]]);
            Mix(ref v1, ref v5, ref v9, ref v13, block[step[2]], block[step[3]]);
            Mix(ref v2, ref v6, ref v10, ref v14, block[step[4]], block[step[5]]);
            Mix(ref v3, ref v7, ref v11, ref v15, block[step[6]], block[step[7]]);
            Mix(ref v0, ref v5, ref v10, ref v15, block[step[8]], block[step[9]]);
            Mix(ref v1, ref v6, ref v11, ref v12, block[step[10]], block[step[11]]);
            Mix(ref v2, ref v7, ref v8, ref v13, block[step[12]], block[step[13]]);
            Mix(ref v3, ref v4, ref v9, ref v14, block[step[14]], block[step[15]]);
        }

        if (output.Length >= BlockWords)
        {
            output[8] = v8 ^ value[0];
            output[9] = v9 ^ value[1];
            output[10] = v10 ^ value[2];
            output[11] = v11 ^ value[3];
            output[12] = v12 ^ value[4];
            output[13] = v13 ^ value[5];
            output[14] = v14 ^ value[6];
            output[15] = v15 ^ value[7];
        }

        output[0] = v0 ^ v8;
        output[1] = v1 ^ v9;
        output[2] = v2 ^ v10;
        output[3] = v3 ^ v11;
        output[4] = v4 ^ v12;
        output[5] = v5 ^ v13;
        output[6] = v6 ^ v14;
        output[7] = v7 ^ v15;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Mix(ref uint a, ref uint b, ref uint c, ref uint d, uint x, uint y)
    {
        a = a + b + x;
        d = BitOperations.RotateRight(d ^ a, 16);
        c += d;
        b = BitOperations.RotateRight(b ^ c, 12);
        a = a + b + y;
        d = BitOperations.RotateRight(d ^ a, 8);
        c += d;
        b = BitOperations.RotateRight(b ^ c, 7);
    }
}
