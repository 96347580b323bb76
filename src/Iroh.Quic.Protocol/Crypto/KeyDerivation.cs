using System.Security.Cryptography;
using Iroh.Cryptography;

namespace Iroh.Quic.Protocol.Crypto;

/// <summary>Derives the keys of one direction from a traffic secret (RFC 9001 §5.1, §6.1).</summary>
internal static class KeyDerivation
{
    /// <summary>The longest secret, that of a suite with SHA-384, in bytes.</summary>
    public const int SecretLengthMax = 48;

    private const int KeyLengthMax = 32;

    /// <summary>The AEAD key and the iv of a secret.</summary>
    public static PacketCipher DeriveCipher(AeadAlgorithm algorithm, ReadOnlySpan<byte> secret)
    {
        Span<byte> key = stackalloc byte[KeyLengthMax];
        key = key[..algorithm.KeyLength()];
        Span<byte> iv = stackalloc byte[AeadKey.NonceLength];
        ExpandLabel(algorithm, secret, "quic key"u8, key);
        ExpandLabel(algorithm, secret, "quic iv"u8, iv);
        var cipher = new PacketCipher(algorithm, key, iv);
        CryptographicOperations.ZeroMemory(key);
        return cipher;
    }

    /// <summary>The header protection key of a secret. It stays the same over key updates (RFC 9001 §6.1).</summary>
    public static HeaderProtectionKey DeriveHeaderProtectionKey(AeadAlgorithm algorithm, ReadOnlySpan<byte> secret)
    {
        Span<byte> key = stackalloc byte[KeyLengthMax];
        key = key[..algorithm.KeyLength()];
        ExpandLabel(algorithm, secret, "quic hp"u8, key);
        var headerProtection = new HeaderProtectionKey(algorithm, key);
        CryptographicOperations.ZeroMemory(key);
        return headerProtection;
    }

    /// <summary>Replaces a secret in place by that of the next key phase.</summary>
    public static void UpdateSecret(AeadAlgorithm algorithm, Span<byte> secret)
    {
        Span<byte> next = stackalloc byte[SecretLengthMax];
        next = next[..secret.Length];
        ExpandLabel(algorithm, secret, "quic ku"u8, next);
        next.CopyTo(secret);
        CryptographicOperations.ZeroMemory(next);
    }

    /// <summary>HKDF-Expand-Label with an empty context (RFC 8446 §7.1).</summary>
    /// <param name="algorithm">The suite's AEAD; its hash is SHA-384 with AES-256, else SHA-256 (RFC 8446 §B.4).</param>
    /// <param name="secret">The traffic secret.</param>
    /// <param name="label">Without the prefix that TLS puts before it.</param>
    /// <param name="output">Filled.</param>
    public static void ExpandLabel(AeadAlgorithm algorithm, ReadOnlySpan<byte> secret, ReadOnlySpan<byte> label, Span<byte> output)
    {
        ReadOnlySpan<byte> prefix = "tls13 "u8;
        Span<byte> info = stackalloc byte[32];
        int length = 0;
        info[length++] = 0;
        info[length++] = (byte)output.Length;
        info[length++] = (byte)(prefix.Length + label.Length);
        prefix.CopyTo(info[length..]);
        length += prefix.Length;
        label.CopyTo(info[length..]);
        length += label.Length;
        info[length++] = 0;
        HashAlgorithmName hash =
            algorithm == AeadAlgorithm.Aes256Gcm ? HashAlgorithmName.SHA384 : HashAlgorithmName.SHA256;
        HKDF.Expand(hash, secret, output, info[..length]);
    }
}
