using Iroh.Quic.Protocol.Codec.Headers;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Inbound;

/// <summary>
/// Cuts a datagram into its coalesced packets (RFC 9000 §12.2). Ends at the first header that cannot be read, and at a packet whose
/// destination differs from the first one's: the rest is not for this connection.
/// </summary>
internal ref struct DatagramSplitter
{
    private readonly int _localIdLength;
    private Span<byte> _rest;
    private ConnectionId _destinationId;
    private bool _isFirstTaken;

    /// <summary>Starts at the first byte.</summary>
    /// <param name="datagram">The whole datagram; packets are slices of it.</param>
    /// <param name="localIdLength">Length of the connection ids in short headers.</param>
    public DatagramSplitter(Span<byte> datagram, int localIdLength)
    {
        _rest = datagram;
        _localIdLength = localIdLength;
    }

    /// <summary>Bytes not yet taken.</summary>
    public readonly int Remaining => _rest.Length;

    /// <summary>Takes the next packet. False at the end, or where the rest must be ignored; then <see cref="Remaining"/> is not 0.</summary>
    public bool TryNext(out Span<byte> packet, out ParsedHeader header)
    {
        packet = default;
        if (!PacketHeader.TryParse(_rest, _localIdLength, out header))
            return false;
        if (_isFirstTaken && !header.DestinationIdBytes.SequenceEqual(_destinationId.Span))
            return false;
        packet = _rest[..header.PacketLength];
        if (!_isFirstTaken && header.PacketLength < _rest.Length)
            _destinationId = header.DestinationId; // only a Version 1 packet can be followed by another
        _isFirstTaken = true;
        _rest = _rest[header.PacketLength..];
        return true;
    }
}
