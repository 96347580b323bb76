using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Iroh.Cryptography;

/// <summary>
/// Hashes many inputs of equal length side by side: chunks, or the children of parents. Picks the widest kernel that the processor has;
/// all give the same values.
/// </summary>
internal static class Blake3Kernel
{
    private const int BlockLength = Blake3Compression.BlockLength;
    private const int ValueWords = Blake3Compression.ValueWords;

    /// <summary>Below this many inputs the scalar code is not slower than a vector kernel with idle lanes.</summary>
    private const int VectorInputsMin = 3;

    /// <summary>Hashes <paramref name="count"/> inputs of <paramref name="length"/> bytes that lie one after the other.</summary>
    /// <param name="inputs">At least count · length bytes.</param>
    /// <param name="length">A multiple of 64 above 0.</param>
    /// <param name="count">Any number.</param>
    /// <param name="key">The key or initial value, 8 words.</param>
    /// <param name="counter">The counter of the first input.</param>
    /// <param name="countsUp">Whether each following input's counter is one higher, or the same.</param>
    /// <param name="flags">The flags of all blocks but the first and the last.</param>
    /// <param name="flagsFirst">The flags of the first block.</param>
    /// <param name="flagsLast">The flags of the last block; a single block has these and those of the first.</param>
    /// <param name="values">Gets 8 words for each input.</param>
    public static void HashMany(
        ReadOnlySpan<byte> inputs, int length, int count, ReadOnlySpan<uint> key, ulong counter, bool countsUp,
        Blake3Flags flags, Blake3Flags flagsFirst, Blake3Flags flagsLast, Span<uint> values)
    {
        while (count >= VectorInputsMin)
        {
            int lanes;
            if (Avx512F.IsSupported && (count > Blake3Lanes256.Count || !Avx2.IsSupported))
            {
                lanes = Math.Min(count, Blake3Lanes512.Count);
                Blake3Kernel<System.Runtime.Intrinsics.Vector512<uint>, Blake3Lanes512>.HashMany(
                    inputs, length, lanes, key, counter, countsUp, flags, flagsFirst, flagsLast, values);
            }
            else if (Avx2.IsSupported)
            {
                lanes = Math.Min(count, Blake3Lanes256.Count);
                Blake3Kernel<System.Runtime.Intrinsics.Vector256<uint>, Blake3Lanes256>.HashMany(
                    inputs, length, lanes, key, counter, countsUp, flags, flagsFirst, flagsLast, values);
            }
            else if (Blake3Lanes128.IsSupported)
            {
                lanes = Math.Min(count, Blake3Lanes128.Count);
                Blake3Kernel<System.Runtime.Intrinsics.Vector128<uint>, Blake3Lanes128>.HashMany(
                    inputs, length, lanes, key, counter, countsUp, flags, flagsFirst, flagsLast, values);
            }
            else
            {
                break;
            }

            inputs = inputs[(lanes * length)..];
            values = values[(lanes * ValueWords)..];
            count -= lanes;
            counter += countsUp ? (uint)lanes : 0;
        }

        HashManyScalar(inputs, length, count, key, counter, countsUp, flags, flagsFirst, flagsLast, values);
    }

    /// <summary>The scalar twin of the vector kernels.</summary>
    public static void HashManyScalar(
        ReadOnlySpan<byte> inputs, int length, int count, ReadOnlySpan<uint> key, ulong counter, bool countsUp,
        Blake3Flags flags, Blake3Flags flagsFirst, Blake3Flags flagsLast, Span<uint> values)
    {
        Blake3Node.Words8 value = default;
        Blake3Node.Words16 block = default;
        for (int i = 0; i < count; i++)
        {
            key.CopyTo(value);
            for (int at = 0; at < length; at += BlockLength)
            {
                Blake3Node.ReadWords(inputs.Slice((i * length) + at, BlockLength), block);
                Blake3Compression.Compress(
                    value, block, counter, BlockLength, FlagsAt(at, length, flags, flagsFirst, flagsLast), value);
            }

            ((ReadOnlySpan<uint>)value).CopyTo(values[(i * ValueWords)..]);
            counter += countsUp ? 1u : 0;
        }
    }

    /// <summary>Compresses pairs of neighbouring children, 8 words each, to parents.</summary>
    /// <param name="children">At least 16 words for each pair.</param>
    /// <param name="pairs">How many parents.</param>
    /// <param name="key">The key or initial value, 8 words.</param>
    /// <param name="flags">The flags of the mode and <see cref="Blake3Flags.Parent"/>.</param>
    /// <param name="parents">Gets 8 words for each pair; may begin where the children do.</param>
    public static void HashParents(
        ReadOnlySpan<uint> children, int pairs, ReadOnlySpan<uint> key, Blake3Flags flags, Span<uint> parents)
    {
        if (BitConverter.IsLittleEndian)
        {
            HashMany(MemoryMarshal.AsBytes(children), BlockLength, pairs, key, 0, countsUp: false, flags, flags, flags, parents);
            return;
        }

        for (int i = 0; i < pairs; i++)
        {
            Blake3Compression.Compress(
                key, children.Slice(2 * i * ValueWords, 2 * ValueWords), 0, BlockLength, flags,
                parents.Slice(i * ValueWords, ValueWords));
        }
    }

    /// <summary>The flags of the block that begins at byte <paramref name="at"/>.</summary>
    public static Blake3Flags FlagsAt(int at, int length, Blake3Flags flags, Blake3Flags flagsFirst, Blake3Flags flagsLast) =>
        (at == 0 ? flagsFirst : flags) | (at + BlockLength == length ? flagsLast : flags);
}
