using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Crypto;

/// <summary>What became of an attempt to open a 1-RTT packet.</summary>
/// <param name="IsOpened">Whether the packet is authentic and may be processed. If not, and without an error, it is dropped.</param>
/// <param name="Error">Why the connection has to close, or null.</param>
/// <param name="Generation">Key updates before the keys that opened the packet; <see cref="KeyUpdate.OnAckReceived"/> wants it.</param>
/// <param name="PayloadOffset">Where the frames begin in the packet.</param>
/// <param name="PayloadLength">Bytes of frames.</param>
internal readonly record struct PacketOpening(
    bool IsOpened, TransportError? Error, ulong Generation, int PayloadOffset, int PayloadLength)
{
    /// <summary>Not authentic: the packet is dropped without a trace (RFC 9001 §5.5).</summary>
    internal static PacketOpening Dropped => default;

    internal static PacketOpening Failed(TransportError error) => new(false, error, 0, 0, 0);
}
