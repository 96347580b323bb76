using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Iroh.Tls;

/// <summary>
/// The chain of secrets of RFC 8446 §7.1 without PSK: early, then handshake, then master. Each step replaces the secret before
/// it. <see cref="HkdfExpandLabel"/> stands alone and serves QUIC's packet keys, too.
/// </summary>
public sealed class TlsKeySchedule
{
    private const int HashLengthMax = 48;

    // RFC 8446 §7.1: the structure's label is a vector of 7 to 255 bytes with this prefix, its context one of 0 to 255.
    private const int ExpandInfoLengthMax = 2 + 1 + 255 + 1 + 255;

    private readonly HashAlgorithmName _hash;
    private readonly byte[] _secret;

    /// <summary>Starts with the early secret of a handshake without PSK.</summary>
    internal TlsKeySchedule(CipherSuite suite)
    {
        _hash = suite.Hash();
        _secret = new byte[suite.HashLength()];
        Span<byte> zeros = stackalloc byte[HashLengthMax];
        zeros.Clear();
        zeros = zeros[.._secret.Length];
        HKDF.Extract(_hash, ikm: zeros, salt: zeros, _secret);
    }

    /// <summary>The secret of the present step; for vectors.</summary>
    internal ReadOnlySpan<byte> Current => _secret;

    /// <summary>HKDF-Expand-Label (RFC 8446 §7.1) with the "tls13 " prefix.</summary>
    /// <param name="hash">SHA256 or SHA384, as the cipher suite says.</param>
    /// <param name="secret">A secret of the hash's length.</param>
    /// <param name="label">Without the prefix, such as <c>"quic key"u8</c>; at most 249 bytes.</param>
    /// <param name="context">At most 255 bytes; empty for keys.</param>
    /// <param name="output">Filled; its length takes part in the computation.</param>
    /// <exception cref="ArgumentException">A length is out of range.</exception>
    public static void HkdfExpandLabel(
        HashAlgorithmName hash,
        ReadOnlySpan<byte> secret,
        ReadOnlySpan<byte> label,
        ReadOnlySpan<byte> context,
        Span<byte> output)
    {
        ReadOnlySpan<byte> prefix = "tls13 "u8;
        if (prefix.Length + label.Length > 255 || context.Length > 255)
            throw new ArgumentException("A label has at most 249 bytes and a context 255.");
        Span<byte> info = stackalloc byte[ExpandInfoLengthMax];
        BinaryPrimitives.WriteUInt16BigEndian(info, checked((ushort)output.Length));
        int length = 2;
        info[length++] = (byte)(prefix.Length + label.Length);
        prefix.CopyTo(info[length..]);
        length += prefix.Length;
        label.CopyTo(info[length..]);
        length += label.Length;
        info[length++] = (byte)context.Length;
        context.CopyTo(info[length..]);
        length += context.Length;
        HKDF.Expand(hash, secret, output, info[..length]);
    }

    /// <summary>From the early secret to the handshake secret.</summary>
    /// <param name="sharedSecret">The result of the key exchange.</param>
    internal void EnterHandshake(ReadOnlySpan<byte> sharedSecret) => Step(sharedSecret);

    /// <summary>From the handshake secret to the master secret.</summary>
    internal void EnterMaster()
    {
        Span<byte> zeros = stackalloc byte[HashLengthMax];
        zeros.Clear();
        Step(zeros[.._secret.Length]);
    }

    /// <summary>Derive-Secret (RFC 8446 §7.1) of the present step.</summary>
    internal byte[] DeriveSecret(ReadOnlySpan<byte> label, ReadOnlySpan<byte> transcriptHash)
    {
        byte[] derived = new byte[_secret.Length];
        HkdfExpandLabel(_hash, _secret, label, transcriptHash, derived);
        return derived;
    }

    /// <summary>The verify_data of a Finished (RFC 8446 §4.4.4).</summary>
    /// <param name="hash">The cipher suite's hash.</param>
    /// <param name="trafficSecret">The sender's handshake traffic secret.</param>
    /// <param name="transcriptHash">Over everything before the Finished.</param>
    internal static byte[] ComputeVerifyData(
        HashAlgorithmName hash, ReadOnlySpan<byte> trafficSecret, ReadOnlySpan<byte> transcriptHash)
    {
        Span<byte> key = stackalloc byte[HashLengthMax];
        key = key[..trafficSecret.Length];
        HkdfExpandLabel(hash, trafficSecret, "finished"u8, [], key);
        byte[] verifyData = CryptographicOperations.HmacData(hash, key, transcriptHash);
        CryptographicOperations.ZeroMemory(key);
        return verifyData;
    }

    /// <summary>Wipes the present secret, after the last derivation.</summary>
    internal void Clear() => CryptographicOperations.ZeroMemory(_secret);

    private void Step(ReadOnlySpan<byte> inputKeyingMaterial)
    {
        Span<byte> salt = stackalloc byte[HashLengthMax];
        salt = salt[.._secret.Length];
        HkdfExpandLabel(_hash, _secret, "derived"u8, CryptographicOperations.HashData(_hash, []), salt);
        HKDF.Extract(_hash, inputKeyingMaterial, salt, _secret);
        CryptographicOperations.ZeroMemory(salt);
    }
}
