using System.Numerics;
using System.Text;

namespace Iroh.Cryptography;

/// <summary>
/// BLAKE3 over input that comes in parts, in any of its three modes. Holds about 3 KiB whatever the input. Has one owner at a time.
/// </summary>
public sealed class Blake3Hasher
{
    private const int ChunkLength = Blake3.ChunkLength;
    private const int ValueWords = Blake3Compression.ValueWords;

    /// <summary>The height of the tallest tree: 2^64 bytes are 2^54 chunks (§5.1.2).</summary>
    private const int StackDepthMax = 54;

    private readonly Blake3Flags _flags;
    private readonly uint[] _key = new uint[ValueWords];

    // The values of finished subtrees, each larger than the next, which are joined only when more input shows that the parent is not
    // the root; then the bytes of the unfinished chunk.
    private readonly uint[] _stack = new uint[(StackDepthMax + 1) * ValueWords];
    private readonly byte[] _chunk = new byte[ChunkLength];
    private int _stackDepth;
    private int _chunkLength;
    private ulong _chunks;

    /// <summary>Starts a plain hash.</summary>
    public Blake3Hasher()
        : this(Blake3Compression.InitialValue, Blake3Flags.None)
    {
    }

    private Blake3Hasher(ReadOnlySpan<uint> key, Blake3Flags flags)
    {
        key.CopyTo(_key);
        _flags = flags;
    }

    /// <summary>Starts a keyed hash: a message authentication code or pseudorandom function (§2.3).</summary>
    /// <param name="key">Exactly <see cref="Blake3.KeyLength"/> bytes, uniformly random.</param>
    public static Blake3Hasher CreateKeyed(ReadOnlySpan<byte> key)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(key.Length, Blake3.KeyLength);
        return FromKey(key, Blake3Flags.KeyedHash);
    }

    /// <summary>Starts the derivation of a key from key material, which is then the input (§2.3).</summary>
    /// <param name="context">A constant of the application, unique to the purpose; never anything that another party can choose.</param>
    public static Blake3Hasher CreateDeriveKey(string context)
    {
        ArgumentNullException.ThrowIfNull(context);
        Span<byte> key = stackalloc byte[Blake3.KeyLength];
        var contextHasher = new Blake3Hasher(Blake3Compression.InitialValue, Blake3Flags.DeriveKeyContext);
        contextHasher.Update(Encoding.UTF8.GetBytes(context));
        contextHasher.Finish(key);
        return FromKey(key, Blake3Flags.DeriveKeyMaterial);
    }

    /// <summary>Takes the next part of the input, of any length; it is the caller's again on return.</summary>
    public void Update(ReadOnlySpan<byte> data)
    {
        // The last chunk is kept back until more input comes, as it ends differently if it is the root.
        while (!data.IsEmpty)
        {
            if (_chunkLength == 0 && data.Length > ChunkLength)
            {
                data = data[TakeSubtree(data)..];
                continue;
            }

            if (_chunkLength == ChunkLength)
            {
                TakeChunk();
                continue;
            }

            Join();
            int count = Math.Min(data.Length, ChunkLength - _chunkLength);
            data[..count].CopyTo(_chunk.AsSpan(_chunkLength));
            _chunkLength += count;
            data = data[count..];
        }
    }

    /// <summary>
    /// Writes the hash of the input so far. More input may follow: the state does not change.
    /// </summary>
    /// <param name="destination">
    /// Any length: the first <see cref="Blake3.HashLength"/> bytes are the hash, all of them are extended output (§2.6).
    /// </param>
    /// <param name="offset">Where in the extended output to begin, in bytes.</param>
    public void Finish(Span<byte> destination, ulong offset = 0)
    {
        Root(out Blake3Node node);
        node.WriteOutput(offset, destination);
    }

    /// <summary>Forgets the input and starts again, with the same mode and key.</summary>
    public void Reset()
    {
        _stackDepth = 0;
        _chunkLength = 0;
        _chunks = 0;
    }

    private static Blake3Hasher FromKey(ReadOnlySpan<byte> key, Blake3Flags flags)
    {
        Span<uint> words = stackalloc uint[ValueWords];
        Blake3Node.ReadWords(key, words);
        return new Blake3Hasher(words, flags);
    }

    private Span<uint> StackEntry(int index) => _stack.AsSpan(index * ValueWords, ValueWords);

    // Hashes as large a subtree as the data, of more than one chunk, and the position allow. Returns its length in bytes.
    private int TakeSubtree(ReadOnlySpan<byte> data)
    {
        int length = (int)BitOperations.RoundUpToPowerOf2((uint)data.Length / 2 + 1);
        while (((ulong)(length / ChunkLength) - 1 & _chunks) != 0)
            length /= 2;
        if (length == ChunkLength)
        {
            Blake3Tree.SubtreeNode(data[..length], _chunks, _key, _flags, out Blake3Node node);
            PushChunk(node);
            return length;
        }

        // The halves go on the stack apart, since their parent may turn out to be the root.
        Span<uint> halves = stackalloc uint[2 * ValueWords];
        Blake3Tree.SubtreeHalves(data[..length], _chunks, _key, _flags, halves);
        ulong half = (uint)(length / ChunkLength / 2);
        Push(halves[..ValueWords], half);
        Push(halves[ValueWords..], half);
        return length;
    }

    private void TakeChunk()
    {
        Blake3Tree.SubtreeNode(_chunk, _chunks, _key, _flags, out Blake3Node node);
        PushChunk(node);
        _chunkLength = 0;
    }

    private void PushChunk(in Blake3Node node)
    {
        Span<uint> value = stackalloc uint[ValueWords];
        node.ChainingValue(value);
        Push(value, 1);
    }

    private void Push(ReadOnlySpan<uint> value, ulong chunks)
    {
        Join();
        value.CopyTo(StackEntry(_stackDepth++));
        _chunks += chunks;
    }

    // Called when input comes after all that is on the stack: then every pair there that makes a whole subtree is an inner one, and can be
    // joined. Afterwards there is one entry for each bit of the number of chunks.
    private void Join()
    {
        while (_stackDepth > BitOperations.PopCount(_chunks))
        {
            Blake3Node.Parent(StackEntry(_stackDepth - 2), StackEntry(_stackDepth - 1), _key, _flags, out Blake3Node node);
            node.ChainingValue(StackEntry(_stackDepth - 2));
            _stackDepth--;
        }
    }

    private void Root(out Blake3Node node)
    {
        Span<uint> right = stackalloc uint[ValueWords];
        int depth = _stackDepth;
        if (_chunkLength > 0 || depth == 0)
        {
            Blake3Tree.SubtreeNode(_chunk.AsSpan(0, _chunkLength), _chunks, _key, _flags, out node);
        }
        else
        {
            depth -= 2; // a subtree is pushed as two halves, and a chunk is kept back, so there are two
            Blake3Node.Parent(StackEntry(depth), StackEntry(depth + 1), _key, _flags, out node);
        }

        while (depth > 0)
        {
            node.ChainingValue(right);
            Blake3Node.Parent(StackEntry(--depth), right, _key, _flags, out node);
        }
    }
}
