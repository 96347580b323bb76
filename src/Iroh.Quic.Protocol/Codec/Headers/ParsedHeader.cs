using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Codec.Headers;

/// <summary>
/// The part of a packet's header that is not protected. Its spans point into the datagram; removing the protection in place
/// does not touch them.
/// </summary>
internal readonly ref struct ParsedHeader
{
    /// <summary>What kind of packet it is.</summary>
    public PacketType Type { get; init; }

    /// <summary>The Version field; <see cref="QuicVersion.V1"/> for a short header, which has none.</summary>
    public uint Version { get; init; }

    /// <summary>Destination Connection ID: 0 to 20 bytes, up to 255 only for <see cref="PacketType.UnknownVersion"/>.</summary>
    public ReadOnlySpan<byte> DestinationIdBytes { get; init; }

    /// <summary>Source Connection ID, lengths as above; empty for a short header, which has none.</summary>
    public ReadOnlySpan<byte> SourceIdBytes { get; init; }

    /// <summary>The token of an Initial or Retry, otherwise empty.</summary>
    public ReadOnlySpan<byte> Token { get; init; }

    /// <summary>
    /// Where the protected part begins: the packet number, still masked. For a Retry its integrity tag, for a Version
    /// Negotiation the list of versions, for an unknown version the bytes of which nothing is known.
    /// </summary>
    public int PacketNumberOffset { get; init; }

    /// <summary>Bytes of the datagram, from its start, that belong to this packet; more packets may follow (RFC 9000 §12.2).</summary>
    public int PacketLength { get; init; }

    /// <summary>The destination id by value. Not for <see cref="PacketType.UnknownVersion"/>, whose ids may be longer.</summary>
    public ConnectionId DestinationId => new(DestinationIdBytes);

    /// <summary>The source id by value. Not for <see cref="PacketType.UnknownVersion"/>, whose ids may be longer.</summary>
    public ConnectionId SourceId => new(SourceIdBytes);
}
