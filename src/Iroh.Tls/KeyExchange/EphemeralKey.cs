using System.Security.Cryptography;
using Iroh.Cryptography;

namespace Iroh.Tls.KeyExchange;

/// <summary>
/// This side's private keys of one handshake, for whichever group comes to be used. All come from the same 32 random bytes: they
/// are the X25519 key as they are, and the P-256 key by way of HKDF, which tells nothing of one to somebody who has the other.
/// </summary>
internal sealed class EphemeralKey
{
    // The length of a coordinate and of a private key.
    private const int FieldLength = 32;

    // RFC 8446 §4.2.8.2: the only form of a point.
    private const byte UncompressedPoint = 4;

    private readonly byte[] _secret = new byte[X25519.KeyLength];

    /// <summary>Draws 32 bytes.</summary>
    internal EphemeralKey(RandomSource random) => random.Fill(_secret);

    // The order of P-256 (SEC 2 §2.4.2): a private key is from 1 to one less.
    private static ReadOnlySpan<byte> Secp256r1Order =>
    [
        0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];

    /// <summary>The key share of a group, <see cref="KeyExchangeGroupExtensions.ShareLength"/> bytes.</summary>
    internal byte[] PublicKey(KeyExchangeGroup group)
    {
        byte[] share = new byte[group.ShareLength()];
        if (group == KeyExchangeGroup.X25519)
        {
            X25519.DerivePublicKey(_secret, share);
            return share;
        }

        using ECDiffieHellman key = CreateSecp256r1();
        ECPoint point = key.ExportParameters(includePrivateParameters: false).Q;
        share[0] = UncompressedPoint;
        point.X!.CopyTo(share, 1);
        point.Y!.CopyTo(share, 1 + FieldLength);
        return share;
    }

    /// <summary>Computes the shared secret: 32 bytes, for both groups (RFC 8446 §7.4).</summary>
    /// <param name="group">The group of both keys.</param>
    /// <param name="peerShare">From the peer, of the group's length.</param>
    /// <param name="sharedSecret">Receives 32 bytes.</param>
    /// <returns>False if the share is no key: of small order, or not a point of the curve.</returns>
    internal bool TryAgree(KeyExchangeGroup group, ReadOnlySpan<byte> peerShare, Span<byte> sharedSecret)
    {
        if (peerShare.Length != group.ShareLength())
            return false;
        return group == KeyExchangeGroup.X25519
            ? X25519.TryAgree(_secret, peerShare, sharedSecret)
            : TryAgreeSecp256r1(peerShare, sharedSecret);
    }

    /// <summary>Wipes the private keys, after which the instance is of no more use.</summary>
    internal void Clear() => CryptographicOperations.ZeroMemory(_secret);

    private bool TryAgreeSecp256r1(ReadOnlySpan<byte> peerShare, Span<byte> sharedSecret)
    {
        if (peerShare[0] != UncompressedPoint)
            return false;
        var point = new ECPoint
        {
            X = peerShare.Slice(1, FieldLength).ToArray(),
            Y = peerShare[(1 + FieldLength)..].ToArray(),
        };
        try
        {
            using ECDiffieHellman own = CreateSecp256r1();

            // The import refuses what is not on the curve (RFC 8446 §4.2.8.2); the curve's cofactor is 1.
            using ECDiffieHellman peer = ECDiffieHellman.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, Q = point });
            using ECDiffieHellmanPublicKey peerKey = peer.PublicKey;
            byte[] secret = own.DeriveRawSecretAgreement(peerKey);
            secret.CopyTo(sharedSecret);
            CryptographicOperations.ZeroMemory(secret);
            return true;
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    private ECDiffieHellman CreateSecp256r1()
    {
        byte[] scalar = new byte[FieldLength];
        Span<byte> label = [.. "iroh secp256r1 key share "u8, 0];
        do
        {
            // One try in 2^32 is out of range; the counter makes the next one another.
            HKDF.Expand(HashAlgorithmName.SHA256, _secret, scalar, label);
            label[^1]++;
        }
        while (!IsPrivateKey(scalar));

        ECDiffieHellman key = ECDiffieHellman.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, D = scalar });
        CryptographicOperations.ZeroMemory(scalar);
        return key;
    }

    private static bool IsPrivateKey(ReadOnlySpan<byte> scalar) =>
        scalar.ContainsAnyExcept((byte)0) && scalar.SequenceCompareTo(Secp256r1Order) < 0;
}
