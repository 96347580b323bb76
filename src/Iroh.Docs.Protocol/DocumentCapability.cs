using System.Diagnostics.CodeAnalysis;
using Iroh.Base.Serialization;

namespace Iroh.Docs;

/// <summary>
/// What a holder may do with a document: read it (its id) or write it, too (its secret). Immutable. On the wire: variant 0 with the
/// length-prefixed secret, or variant 1 with the id's 32 bytes.
/// </summary>
public sealed class DocumentCapability : IEquatable<DocumentCapability>
{
    private const uint WriteVariant = 0;
    private const uint ReadVariant = 1;

    private DocumentCapability(NamespaceId id, NamespaceSecret? secret)
    {
        Id = id;
        Secret = secret;
    }

    /// <summary>The document.</summary>
    public NamespaceId Id { get; }

    /// <summary>The secret to write with; null when reading is all that is allowed.</summary>
    public NamespaceSecret? Secret { get; }

    /// <summary>Whether entries can be made with it.</summary>
    public bool CanWrite => Secret is not null;

    /// <summary>The right to read.</summary>
    public static DocumentCapability Read(NamespaceId id) => new(id, null);

    /// <summary>The right to write.</summary>
    public static DocumentCapability Write(NamespaceSecret secret)
    {
        ArgumentNullException.ThrowIfNull(secret);
        return new DocumentCapability(secret.Id, secret);
    }

    /// <summary>The same document for somebody who may only read it.</summary>
    public DocumentCapability ToRead() => CanWrite ? Read(Id) : this;

    /// <summary>Reads the wire form. An id that is no point of the curve is refused.</summary>
    public static bool TryRead(ref PostcardReader reader, [NotNullWhen(true)] out DocumentCapability? capability)
    {
        capability = null;
        if (!reader.TryReadUInt32(out uint variant))
            return false;
        switch (variant)
        {
            case WriteVariant:
                if (reader.TryReadBytes(out ReadOnlySpan<byte> seed) && seed.Length == NamespaceSecret.SeedLength)
                    capability = Write(NamespaceSecret.FromSeed(seed));
                break;
            case ReadVariant:
                if (reader.TryReadFixed(NamespaceId.Length, out ReadOnlySpan<byte> bytes) && new NamespaceId(bytes) is { IsPoint: true } id)
                    capability = Read(id);
                break;
        }

        return capability is not null;
    }

    /// <summary>Appends the wire form: with a secret, whoever reads it may write.</summary>
    public void Write(PostcardWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        if (Secret is not null)
        {
            writer.WriteVarint(WriteVariant);
            writer.WriteBytes(Secret.Seed);
        }
        else
        {
            writer.WriteVarint(ReadVariant);
            writer.WriteFixed(Id.Span);
        }
    }

    /// <inheritdoc/>
    public bool Equals(DocumentCapability? other) => other is not null && Id == other.Id && CanWrite == other.CanWrite;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as DocumentCapability);

    /// <inheritdoc/>
    public override int GetHashCode() => Id.GetHashCode();

    /// <summary>The id and the right; never the secret.</summary>
    public override string ToString() => $"{(CanWrite ? "write" : "read")} {Id.ToShortString()}";
}
