using System.Security.Cryptography;

namespace Iroh.Cryptography;

/// <summary>Diffie-Hellman on Curve25519 (RFC 7748 §6.1). Stateless and thread-safe.</summary>
public static unsafe class X25519
{
    /// <summary>Length of private keys, public keys and shared secrets in bytes.</summary>
    public const int KeyLength = 32;

    /// <summary>Writes the public key that belongs to <paramref name="privateKey"/>.</summary>
    /// <param name="privateKey">Any 32 bytes; clamped as RFC 7748 §5 says.</param>
    /// <param name="publicKey">Receives 32 bytes.</param>
    /// <exception cref="ArgumentException">One of the spans has another length.</exception>
    public static void DerivePublicKey(ReadOnlySpan<byte> privateKey, Span<byte> publicKey) =>
        RawKeys.DerivePublicKey(LibCrypto.X25519KeyType, privateKey, publicKey);

    /// <summary>Computes the secret shared with the owner of <paramref name="peerPublicKey"/>.</summary>
    /// <param name="privateKey">Any 32 bytes.</param>
    /// <param name="peerPublicKey">32 bytes from the peer; every value is a legal input (RFC 7748 §5).</param>
    /// <param name="sharedSecret">Receives 32 bytes; zero if the result is false.</param>
    /// <returns>False if the result is all zero: the peer's key has small order (RFC 7748 §6.1, RFC 8446 §7.4.2).</returns>
    /// <exception cref="ArgumentException">One of the spans has another length.</exception>
    public static bool TryAgree(ReadOnlySpan<byte> privateKey, ReadOnlySpan<byte> peerPublicKey, Span<byte> sharedSecret)
    {
        RawKeys.RequireLength(sharedSecret.Length, KeyLength, nameof(sharedSecret));
        sharedSecret.Clear();
        IntPtr own = RawKeys.ImportPrivate(LibCrypto.X25519KeyType, privateKey);
        IntPtr peer = 0, context = 0;
        bool agreed;
        try
        {
            peer = RawKeys.ImportPublic(LibCrypto.X25519KeyType, peerPublicKey);
            context = LibCrypto.Require(LibCrypto.KeyContextNew(own, 0), "EVP_PKEY_CTX_new");
            LibCrypto.Require(LibCrypto.DeriveInit(context), "EVP_PKEY_derive_init");
            nuint length = KeyLength;
            fixed (byte* secret = sharedSecret)
            {
                // libcrypto refuses an all-zero result on its own; the comparison below does not rely on that.
                agreed = LibCrypto.DeriveSetPeer(context, peer) == 1
                    && LibCrypto.Derive(context, secret, &length) == 1
                    && length == KeyLength;
            }
        }
        finally
        {
            LibCrypto.KeyContextFree(context);
            LibCrypto.KeyFree(peer);
            LibCrypto.KeyFree(own);
        }

        Span<byte> zero = stackalloc byte[KeyLength];
        zero.Clear();
        if (agreed && !CryptographicOperations.FixedTimeEquals(sharedSecret, zero))
            return true;
        LibCrypto.ClearErrors();
        sharedSecret.Clear();
        return false;
    }
}
