using System.Security.Cryptography;
using Iroh.Cryptography;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Crypto;

/// <summary>Derives the keys of one direction from a traffic secret (RFC 9001 §5.1, §6.1).</summary>
internal static class KeyDerivation
{
    // Of the suite with SHA-384.
    private const int SecretLengthMax = 48;

    private const int KeyLengthMax = 32;

    /// <summary>The AEAD key and the iv of a secret.</summary>
    public static PacketCipher DeriveCipher(CipherSuite suite, ReadOnlySpan<byte> secret)
    {
        Span<byte> key = stackalloc byte[KeyLengthMax];
        key = key[..suite.Aead().KeyLength()];
        Span<byte> iv = stackalloc byte[AeadKey.NonceLength];
        Expand(suite, secret, "quic key"u8, key);
        Expand(suite, secret, "quic iv"u8, iv);
        var cipher = new PacketCipher(suite.Aead(), key, iv);
        CryptographicOperations.ZeroMemory(key);
        return cipher;
    }

    /// <summary>The header protection key of a secret. It stays the same over key updates (RFC 9001 §6.1).</summary>
    public static HeaderProtectionKey DeriveHeaderProtectionKey(CipherSuite suite, ReadOnlySpan<byte> secret)
    {
        Span<byte> key = stackalloc byte[KeyLengthMax];
        key = key[..suite.Aead().KeyLength()];
        Expand(suite, secret, "quic hp"u8, key);
        var headerProtection = new HeaderProtectionKey(suite.Aead(), key);
        CryptographicOperations.ZeroMemory(key);
        return headerProtection;
    }

    /// <summary>Replaces a secret in place by that of the next key phase.</summary>
    public static void UpdateSecret(CipherSuite suite, Span<byte> secret)
    {
        Span<byte> next = stackalloc byte[SecretLengthMax];
        next = next[..secret.Length];
        Expand(suite, secret, "quic ku"u8, next);
        next.CopyTo(secret);
        CryptographicOperations.ZeroMemory(next);
    }

    private static void Expand(CipherSuite suite, ReadOnlySpan<byte> secret, ReadOnlySpan<byte> label, Span<byte> output) =>
        TlsKeySchedule.HkdfExpandLabel(suite.Hash(), secret, label, [], output);
}
