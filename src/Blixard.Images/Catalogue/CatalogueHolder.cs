using System.Diagnostics.CodeAnalysis;
using Iroh.Base;

namespace Blixard.Images.Catalogue;

/// <summary>Who says that an image is all there: the content of an entry <c>holder/HASH</c>. Immutable.</summary>
/// <param name="Node">The node's name: 1 to 128 characters of printable ASCII.</param>
/// <param name="Endpoint">Where its content can be had.</param>
public sealed record CatalogueHolder(string Node, EndpointId Endpoint)
{
    /// <summary>The longest entry in bytes.</summary>
    public const int LengthMax = 1024;

    /// <summary>Reads an entry's content. Never throws, whatever the bytes.</summary>
    /// <param name="bytes">What came or was stored.</param>
    /// <param name="holder">The holder, when the result is true.</param>
    /// <param name="error">What is wrong, for people, when the result is false.</param>
    public static bool TryRead(
        ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out CatalogueHolder? holder, [NotNullWhen(false)] out string? error) =>
        CatalogueCodec.TryReadHolder(bytes, out holder, out error);

    /// <summary>The entry's content.</summary>
    public byte[] ToBytes() => CatalogueCodec.Write(this);
}
