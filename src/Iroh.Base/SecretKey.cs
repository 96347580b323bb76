using Iroh.Cryptography;

namespace Iroh.Base;

/// <summary>
/// The secret half of an endpoint's identity: a 32-byte Ed25519 seed. Immutable and thread-safe. It has no text form on
/// purpose; <see cref="ToString"/> shows the public id only.
/// </summary>
public sealed class SecretKey
{
    /// <summary>Number of bytes of a seed.</summary>
    public const int Length = Ed25519.SeedLength;

    private readonly byte[] _seed;

    private SecretKey(byte[] seed)
    {
        _seed = seed;
        Span<byte> publicKey = stackalloc byte[Ed25519.PublicKeyLength];
        Ed25519.DerivePublicKey(seed, publicKey);
        PublicKey = EndpointId.FromBytes(publicKey);
    }

    /// <summary>The id of the endpoint that holds this key.</summary>
    public EndpointId PublicKey { get; }

    /// <summary>A new random key from the operating system's generator.</summary>
    public static SecretKey Generate() => Generate(OperatingSystemRandomSource.Instance);

    /// <summary>A new key from <paramref name="random"/>.</summary>
    public static SecretKey Generate(RandomSource random)
    {
        ArgumentNullException.ThrowIfNull(random);
        byte[] seed = new byte[Length];
        random.Fill(seed);
        return new SecretKey(seed);
    }

    /// <summary>Copies a 32-byte seed.</summary>
    /// <exception cref="FormatException">There are not 32 bytes.</exception>
    public static SecretKey FromBytes(ReadOnlySpan<byte> seed) => seed.Length == Length
        ? new SecretKey(seed.ToArray())
        : throw new FormatException($"A secret key has {Length} bytes; these are {seed.Length}.");

    /// <summary>Reads a seed written as 64 lower-case hex digits or 52 characters of base 32.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out SecretKey? key)
    {
        key = EndpointId.TryReadKeyText(text, out byte[] seed) ? new SecretKey(seed) : null;
        return key is not null;
    }

    /// <summary>The seed. Whoever has it can be this endpoint.</summary>
    public ReadOnlySpan<byte> Seed => _seed;

    /// <summary>Signs <paramref name="message"/>; the signature has 64 bytes.</summary>
    public byte[] Sign(ReadOnlySpan<byte> message)
    {
        byte[] signature = new byte[Ed25519.SignatureLength];
        Ed25519.Sign(_seed, message, signature);
        return signature;
    }

    /// <summary>Names the key by its public half.</summary>
    public override string ToString() => $"SecretKey({PublicKey.ToShortString()})";
}
