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
                Mix(
                    ref v0, ref v4, ref v8, ref v12, ref v1, ref v5, ref v9, ref v13,
                    ref v2, ref v6, ref v10, ref v14, ref v3, ref v7, ref v11, ref v15, message, step);
                Mix(
                    ref v0, ref v5, ref v10, ref v15, ref v1, ref v6, ref v11, ref v12,
                    ref v2, ref v7, ref v8, ref v13, ref v3, ref v4, ref v9, ref v14, message, step + (BlockWords / 2));
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

    // Four mixing steps at once, instruction by instruction: each is one long chain, and a processor overlaps them only as far as it looks
    // ahead. The table says which word of the message each step takes, two for each.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Mix(
        ref TVector a0, ref TVector b0, ref TVector c0, ref TVector d0, ref TVector a1, ref TVector b1, ref TVector c1, ref TVector d1,
        ref TVector a2, ref TVector b2, ref TVector c2, ref TVector d2, ref TVector a3, ref TVector b3, ref TVector c3, ref TVector d3,
        TVector* message, byte* words)
    {
        a0 = TLanes.Add(a0, message[words[0]]);
        a1 = TLanes.Add(a1, message[words[2]]);
        a2 = TLanes.Add(a2, message[words[4]]);
        a3 = TLanes.Add(a3, message[words[6]]);
        a0 = TLanes.Add(a0, b0);
        a1 = TLanes.Add(a1, b1);
        a2 = TLanes.Add(a2, b2);
        a3 = TLanes.Add(a3, b3);
        d0 = TLanes.Xor(d0, a0);
        d1 = TLanes.Xor(d1, a1);
        d2 = TLanes.Xor(d2, a2);
        d3 = TLanes.Xor(d3, a3);
        d0 = TLanes.RotateRight16(d0);
        d1 = TLanes.RotateRight16(d1);
        d2 = TLanes.RotateRight16(d2);
        d3 = TLanes.RotateRight16(d3);
        c0 = TLanes.Add(c0, d0);
        c1 = TLanes.Add(c1, d1);
        c2 = TLanes.Add(c2, d2);
        c3 = TLanes.Add(c3, d3);
        b0 = TLanes.Xor(b0, c0);
        b1 = TLanes.Xor(b1, c1);
        b2 = TLanes.Xor(b2, c2);
        b3 = TLanes.Xor(b3, c3);
        b0 = TLanes.RotateRight12(b0);
        b1 = TLanes.RotateRight12(b1);
        b2 = TLanes.RotateRight12(b2);
        b3 = TLanes.RotateRight12(b3);
        a0 = TLanes.Add(a0, message[words[1]]);
        a1 = TLanes.Add(a1, message[words[3]]);
        a2 = TLanes.Add(a2, message[words[5]]);
        a3 = TLanes.Add(a3, message[words[7]]);
        a0 = TLanes.Add(a0, b0);
        a1 = TLanes.Add(a1, b1);
        a2 = TLanes.Add(a2, b2);
        a3 = TLanes.Add(a3, b3);
        d0 = TLanes.Xor(d0, a0);
        d1 = TLanes.Xor(d1, a1);
        d2 = TLanes.Xor(d2, a2);
        d3 = TLanes.Xor(d3, a3);
        d0 = TLanes.RotateRight8(d0);
        d1 = TLanes.RotateRight8(d1);
        d2 = TLanes.RotateRight8(d2);
        d3 = TLanes.RotateRight8(d3);
        c0 = TLanes.Add(c0, d0);
        c1 = TLanes.Add(c1, d1);
        c2 = TLanes.Add(c2, d2);
        c3 = TLanes.Add(c3, d3);
        b0 = TLanes.Xor(b0, c0);
        b1 = TLanes.Xor(b1, c1);
        b2 = TLanes.Xor(b2, c2);
        b3 = TLanes.Xor(b3, c3);
        b0 = TLanes.RotateRight7(b0);
        b1 = TLanes.RotateRight7(b1);
        b2 = TLanes.RotateRight7(b2);
        b3 = TLanes.RotateRight7(b3);
    }
}
