using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Iroh.Cryptography;

/// <summary>
/// The last compression of a chunk or a parent, before it is known whether the node is the root: the input of one compression.
/// </summary>
internal struct Blake3Node
{
    private Words8 _value;
    private Words16 _block;
    private ulong _counter;
    private uint _length;
    private Blake3Flags _flags;

    /// <summary>The last block of a chunk.</summary>
    /// <param name="value">The chaining value of the blocks before.</param>
    /// <param name="block">Its bytes, at most 64.</param>
    /// <param name="chunk">The chunk's index.</param>
    /// <param name="flags">Without <see cref="Blake3Flags.Root"/>.</param>
    /// <param name="node">The node.</param>
    public static void LastBlock(
        ReadOnlySpan<uint> value, ReadOnlySpan<byte> block, ulong chunk, Blake3Flags flags, out Blake3Node node)
    {
        node = default;
        value[..Blake3Compression.ValueWords].CopyTo(node._value);
        ReadWords(block, node._block);
        node._counter = chunk;
        node._length = (uint)block.Length;
        node._flags = flags;
    }

    /// <summary>The parent of two subtrees (§2.4).</summary>
    public static void Parent(
        ReadOnlySpan<byte> left, ReadOnlySpan<byte> right, ReadOnlySpan<uint> key, Blake3Flags flags, out Blake3Node node)
    {
        node = default;
        key.CopyTo(node._value);
        ReadWords(left, ((Span<uint>)node._block)[..Blake3Compression.ValueWords]);
        ReadWords(right, ((Span<uint>)node._block)[Blake3Compression.ValueWords..]);
        node._length = Blake3Compression.BlockLength;
        node._flags = flags | Blake3Flags.Parent;
    }

    /// <summary>The same from words.</summary>
    public static void Parent(
        ReadOnlySpan<uint> left, ReadOnlySpan<uint> right, ReadOnlySpan<uint> key, Blake3Flags flags, out Blake3Node node)
    {
        node = default;
        key.CopyTo(node._value);
        left.CopyTo(node._block);
        right.CopyTo(((Span<uint>)node._block)[Blake3Compression.ValueWords..]);
        node._length = Blake3Compression.BlockLength;
        node._flags = flags | Blake3Flags.Parent;
    }

    /// <summary>The value of this node as an inner one, 8 words.</summary>
    public readonly void ChainingValue(Span<uint> destination) =>
        Blake3Compression.Compress(_value, _block, _counter, _length, _flags, destination[..Blake3Compression.ValueWords]);

    /// <summary>The value of this node, inner or root, as bytes.</summary>
    public readonly void WriteHash(bool isRoot, Span<byte> destination)
    {
        if (isRoot)
        {
            WriteOutput(0, destination[..Blake3.HashLength]);
            return;
        }

        Words8 value = default;
        ChainingValue(value);
        WriteWords(value, destination[..Blake3.HashLength]);
    }

    /// <summary>The extended output of this node as the root (§2.6).</summary>
    /// <param name="offset">Where in the output to begin, in bytes.</param>
    /// <param name="destination">Any length.</param>
    public readonly void WriteOutput(ulong offset, Span<byte> destination)
    {
        Words16 words = default;
        Span<byte> bytes = stackalloc byte[Blake3Compression.BlockLength];
        while (!destination.IsEmpty)
        {
            ulong index = offset / Blake3Compression.BlockLength;
            int skip = (int)(offset % Blake3Compression.BlockLength);
            Blake3Compression.Compress(_value, _block, index, _length, _flags | Blake3Flags.Root, words);
            WriteWords(words, bytes);
            int count = Math.Min(destination.Length, bytes.Length - skip);
            bytes.Slice(skip, count).CopyTo(destination);
            destination = destination[count..];
            offset += (uint)count;
        }
    }

    /// <summary>Little-endian words from bytes; missing ones are zero.</summary>
    public static void ReadWords(ReadOnlySpan<byte> bytes, Span<uint> words)
    {
        words.Clear();
        bytes.CopyTo(MemoryMarshal.AsBytes(words));
        if (!BitConverter.IsLittleEndian)
            BinaryPrimitives.ReverseEndianness(words, words);
    }

    /// <summary>Little-endian bytes from words.</summary>
    public static void WriteWords(ReadOnlySpan<uint> words, Span<byte> bytes)
    {
        for (int i = 0; i < words.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(bytes[(4 * i)..], words[i]);
    }

    [InlineArray(Blake3Compression.ValueWords)]
    internal struct Words8
    {
        private uint _element0;
    }

    [InlineArray(Blake3Compression.BlockWords)]
    internal struct Words16
    {
        private uint _element0;
    }
}
