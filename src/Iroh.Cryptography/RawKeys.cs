namespace Iroh.Cryptography;

/// <summary>What Ed25519 and X25519 keys have in common at libcrypto: 32 raw bytes in, an EVP_PKEY out.</summary>
internal static unsafe class RawKeys
{
    private const int Length = 32;

    /// <summary>An EVP_PKEY that the caller frees with <see cref="LibCrypto.KeyFree"/>.</summary>
    internal static IntPtr ImportPrivate(int type, ReadOnlySpan<byte> key)
    {
        RequireLength(key.Length, Length, nameof(key));
        fixed (byte* bytes = key)
            return LibCrypto.Require(LibCrypto.PrivateKeyNew(type, 0, bytes, Length), "EVP_PKEY_new_raw_private_key");
    }

    /// <summary>An EVP_PKEY that the caller frees with <see cref="LibCrypto.KeyFree"/>; any 32 bytes are taken.</summary>
    internal static IntPtr ImportPublic(int type, ReadOnlySpan<byte> key)
    {
        RequireLength(key.Length, Length, nameof(key));
        fixed (byte* bytes = key)
            return LibCrypto.Require(LibCrypto.PublicKeyNew(type, 0, bytes, Length), "EVP_PKEY_new_raw_public_key");
    }

    internal static void DerivePublicKey(int type, ReadOnlySpan<byte> privateKey, Span<byte> publicKey)
    {
        RequireLength(publicKey.Length, Length, nameof(publicKey));
        IntPtr key = ImportPrivate(type, privateKey);
        try
        {
            nuint length = Length;
            fixed (byte* bytes = publicKey)
                LibCrypto.Require(LibCrypto.GetRawPublicKey(key, bytes, &length), "EVP_PKEY_get_raw_public_key");
        }
        finally
        {
            LibCrypto.KeyFree(key);
        }
    }

    internal static void RequireLength(int actual, int expected, string name)
    {
        if (actual != expected)
            throw new ArgumentException($"Has {actual} bytes instead of {expected}.", name);
    }
}
