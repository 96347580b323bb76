using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using X86Aes = System.Runtime.Intrinsics.X86.Aes;

namespace Iroh.Cryptography;

/// <summary>
/// Encrypts single AES blocks with the processor's instructions: header protection needs one block a packet, and a call
/// into libcrypto costs several times the block. Only for CPUs where <see cref="IsSupported"/> is true.
/// </summary>
internal sealed class AesBlock
{
    private readonly Vector128<byte>[] _roundKeys;

    /// <summary>Expands a key of 16 or 32 bytes (FIPS 197 §5.2).</summary>
    internal AesBlock(ReadOnlySpan<byte> key)
    {
        int keyWords = key.Length / 4;
        int rounds = keyWords + 6;
        Span<uint> words = stackalloc uint[60];
        words = words[..(4 * (rounds + 1))];
        MemoryMarshal.Cast<byte, uint>(key).CopyTo(words);
        uint roundConstant = 1;
        for (int i = keyWords; i < words.Length; i++)
        {
            uint word = words[i - 1];
            if (i % keyWords == 0)
            {
                // Words are little-endian here, so RotWord is a rotation to the right and Rcon sits in the lowest byte.
                word = BitOperations.RotateRight(SubstituteWord(word), 8) ^ roundConstant;
                roundConstant = (roundConstant << 1) ^ ((roundConstant >> 7) * 0x11b);
            }
            else if (keyWords > 6 && i % keyWords == 4)
            {
                word = SubstituteWord(word);
            }

            words[i] = words[i - keyWords] ^ word;
        }

        _roundKeys = MemoryMarshal.Cast<uint, Vector128<byte>>(words).ToArray();
        words.Clear();
    }

    /// <summary>Whether this CPU has the AES instructions.</summary>
    internal static bool IsSupported => X86Aes.IsSupported && BitConverter.IsLittleEndian;

    /// <summary>The encrypted block.</summary>
    internal Vector128<byte> Encrypt(Vector128<byte> block)
    {
        Vector128<byte>[] keys = _roundKeys;
        block = Sse2.Xor(block, keys[0]);
        for (int i = 1; i < keys.Length - 1; i++)
            block = X86Aes.Encrypt(block, keys[i]);
        return X86Aes.EncryptLast(block, keys[^1]);
    }

    /// <summary>Wipes the round keys.</summary>
    internal void Clear() => Array.Clear(_roundKeys);

    // AESKEYGENASSIST with a zero constant leaves SubWord of the second word in the first.
    private static uint SubstituteWord(uint word) =>
        X86Aes.KeygenAssist(Vector128.Create(word).AsByte(), 0).AsUInt32().ToScalar();
}
