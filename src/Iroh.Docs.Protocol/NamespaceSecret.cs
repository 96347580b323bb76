using System.Diagnostics.CodeAnalysis;
using Iroh.Cryptography;

namespace Iroh.Docs;

/// <summary>
/// The secret of a document, a 32-byte Ed25519 seed: whoever has it may write.
/// Immutable and thread-safe. <see cref="ToString"/> shows the public id only; <see cref="ExportText"/> gives the secret away.
/// </summary>
public sealed class NamespaceSecret
{
    /// <summary>Bytes of a seed.</summary>
    public const int SeedLength = Ed25519.SeedLength;

    private readonly byte[] _seed;

    private NamespaceSecret(byte[] seed)
    {
        _seed = seed;
        Span<byte> publicKey = stackalloc byte[Ed25519.PublicKeyLength];
        Ed25519.DerivePublicKey(seed, publicKey);
        Id = new NamespaceId(publicKey);
    }

    /// <summary>The document that may be written with it.</summary>
    public NamespaceId Id { get; }

    /// <summary>The seed: whoever has it can sign in this name.</summary>
    public ReadOnlySpan<byte> Seed => _seed;

    /// <summary>A new secret from <paramref name="random"/>.</summary>
    public static NamespaceSecret Generate(RandomSource random)
    {
        ArgumentNullException.ThrowIfNull(random);
        byte[] seed = new byte[SeedLength];
        random.Fill(seed);
        return new NamespaceSecret(seed);
    }

    /// <summary>Copies exactly <see cref="SeedLength"/> bytes.</summary>
    public static NamespaceSecret FromSeed(ReadOnlySpan<byte> seed)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(seed.Length, SeedLength);
        return new NamespaceSecret(seed.ToArray());
    }

    /// <summary>Reads the text form: 64 hex digits of either case.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, [NotNullWhen(true)] out NamespaceSecret? secret)
    {
        secret = KeyText.TryRead(text, out byte[] seed) ? new NamespaceSecret(seed) : null;
        return secret is not null;
    }

    /// <summary>Signs <paramref name="message"/>; the signature has 64 bytes.</summary>
    public byte[] Sign(ReadOnlySpan<byte> message)
    {
        byte[] signature = new byte[Ed25519.SignatureLength];
        Ed25519.Sign(_seed, message, signature);
        return signature;
    }

    /// <summary>The secret as 64 lower-case hex digits, the form in which iroh exports and imports it.</summary>
    public string ExportText() => Convert.ToHexStringLower(_seed);

    /// <summary>Names the secret by its public half.</summary>
    public override string ToString() => $"NamespaceSecret({Id.ToShortString()})";
}
