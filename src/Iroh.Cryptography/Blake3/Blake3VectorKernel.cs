using System.Runtime.CompilerServices;

namespace Iroh.Cryptography;

/// <summary>
/// The compression function on as many inputs at once as a vector has 32-bit lanes: word i of the state of all inputs is one vector, so
/// a round is the scalar one with vectors for words.
/// </summary>
/// <typeparam name="TVector">The vector of one word of each input.</typeparam>
/// <typeparam name="TLanes">Its operations.</typeparam>
internal static unsafe class Blake3Kernel<TVector, TLanes>
    where TVector : unmanaged
    where TLanes : IBlake3Lanes<TVector>
{
    private const int BlockLength = Blake3Compression.BlockLength;
    private const int BlockWords = Blake3Compression.BlockWords;
    private const int ValueWords = Blake3Compression.ValueWords;

    // Sizes of the buffers on the stack: the widest vectors have 16 lanes.
    private const int LanesMax = 16;
    private const int VectorBytesMax = 4 * LanesMax;

    /// <summary>As <see cref="Blake3Kernel.HashMany"/>, for at most as many inputs as there are lanes.</summary>
    public static void HashMany(
        ReadOnlySpan<byte> inputs, int length, int count, ReadOnlySpan<uint> key, ulong counter, bool countsUp,
        Blake3Flags flags, Blake3Flags flagsFirst, Blake3Flags flagsLast, Span<uint> values)
    {
        // All reads and writes below stay inside these.
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, TLanes.Lanes);
        ArgumentOutOfRangeException.ThrowIfLessThan(inputs.Length, checked(count * length));
        ArgumentOutOfRangeException.ThrowIfLessThan(values.Length, count * ValueWords);
        ArgumentOutOfRangeException.ThrowIfNotEqual(length % BlockLength, 0);

        // Vectors aligned to their size never cross a cache line.
        byte* buffer = stackalloc byte[((BlockWords + ValueWords + 2) * VectorBytesMax) + VectorBytesMax - 1];
        TVector* message = (TVector*)((nuint)(buffer + VectorBytesMax - 1) & ~(nuint)(VectorBytesMax - 1));
        TVector* state = message + BlockWords;
        TVector* counters = state + ValueWords;
        nint* offsets = stackalloc nint[LanesMax];
        for (int lane = 0; lane < TLanes.Lanes; lane++)
        {
            // Lanes without an input of their own repeat the last one; their results are not stored.
            offsets[lane] = (nint)Math.Min(lane, count - 1) * length;
            ulong laneCounter = counter + (countsUp ? (uint)lane : 0);
            ((uint*)counters)[lane] = (uint)laneCounter;
            ((uint*)(counters + 1))[lane] = (uint)(laneCounter >> 32);
        }

        for (int i = 0; i < ValueWords; i++)
            state[i] = TLanes.Create(key[i]);
        fixed (byte* first = inputs)
        {
            for (int at = 0; at < length; at += BlockLength)
            {
                LoadBlock(first + at, offsets, message);
                Blake3Flags blockFlags = Blake3Kernel.FlagsAt(at, length, flags, flagsFirst, flagsLast);
                Compress(state, message, counters, blockFlags);
            }
        }

        for (int lane = 0; lane < count; lane++)
        {
            for (int i = 0; i < ValueWords; i++)
                values[(lane * ValueWords) + i] = ((uint*)(state + i))[lane];
        }
    }

    // Turns one block of each input into one vector for each word. A row holds 16 bytes of every fourth input; unpacking transposes the
    // 4 by 4 words within each 128 bits.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void LoadBlock(byte* block, nint* offsets, TVector* message)
    {
        for (int i = 0; i < BlockWords; i += 4, block += 16, message += 4)
        {
            TVector row0 = TLanes.LoadRow(block, offsets);
            TVector row1 = TLanes.LoadRow(block, offsets + 1);
            TVector row2 = TLanes.LoadRow(block, offsets + 2);
            TVector row3 = TLanes.LoadRow(block, offsets + 3);
            TVector low01 = TLanes.UnpackLow32(row0, row1);
            TVector high01 = TLanes.UnpackHigh32(row0, row1);
            TVector low23 = TLanes.UnpackLow32(row2, row3);
            TVector high23 = TLanes.UnpackHigh32(row2, row3);
            message[0] = TLanes.UnpackLow64(low01, low23);
            message[1] = TLanes.UnpackHigh64(low01, low23);
            message[2] = TLanes.UnpackLow64(high01, high23);
            message[3] = TLanes.UnpackHigh64(high01, high23);
        }
    }

    private static void Compress(TVector* state, TVector* message, TVector* counters, Blake3Flags flags)
    {
        ReadOnlySpan<uint> initial = Blake3Compression.InitialValue;
        TVector v0 = state[0], v1 = state[1], v2 = state[2], v3 = state[3];
        TVector v4 = state[4], v5 = state[5], v6 = state[6], v7 = state[7];
        TVector v8 = TLanes.Create(initial[0]), v9 = TLanes.Create(initial[1]);
        TVector v10 = TLanes.Create(initial[2]), v11 = TLanes.Create(initial[3]);
        TVector v12 = counters[0], v13 = counters[1];
        TVector v14 = TLanes.Create(BlockLength), v15 = TLanes.Create((uint)flags);

        fixed (byte* schedule = Blake3Compression.Schedule)
        {
            byte* end = schedule + (Blake3Compression.Rounds * BlockWords);
            for (byte* step = schedule; step < end; step += BlockWords)
            {
                Mix(ref v0, ref v4, ref v8, ref v12, message[step[0]], message[step[1]]);
                Mix(ref v1, ref v5, ref v9, ref v13, message[step[2]], message[step[3]]);
                Mix(ref v2, ref v6, ref v10, ref v14, message[step[4]], message[step[5]]);
                Mix(ref v3, ref v7, ref v11, ref v15, message[step[6]], message[step[7]]);
                Mix(ref v0, ref v5, ref v10, ref v15, message[step[8]], message[step[9]]);
                Mix(ref v1, ref v6, ref v11, ref v12, message[step[10]], message[step[11]]);
                Mix(ref v2, ref v7, ref v8, ref v13, message[step[12]], message[step[13]]);
                Mix(ref v3, ref v4, ref v9, ref v14, message[step[14]], message[step[15]]);
            }
        }

        state[0] = TLanes.Xor(v0, v8);
        state[1] = TLanes.Xor(v1, v9);
        state[2] = TLanes.Xor(v2, v10);
        state[3] = TLanes.Xor(v3, v11);
        state[4] = TLanes.Xor(v4, v12);
        state[5] = TLanes.Xor(v5, v13);
        state[6] = TLanes.Xor(v6, v14);
        state[7] = TLanes.Xor(v7, v15);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Mix(ref TVector a, ref TVector b, ref TVector c, ref TVector d, TVector x, TVector y)
    {
        a = TLanes.Add(TLanes.Add(a, b), x);
        d = TLanes.RotateRight16(TLanes.Xor(d, a));
        c = TLanes.Add(c, d);
        b = TLanes.RotateRight12(TLanes.Xor(b, c));
        a = TLanes.Add(TLanes.Add(a, b), y);
        d = TLanes.RotateRight8(TLanes.Xor(d, a));
        c = TLanes.Add(c, d);
        b = TLanes.RotateRight7(TLanes.Xor(b, c));
    }
}
