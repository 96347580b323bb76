using System.Buffers;

namespace Iroh.Relay.Server.Clients;

/// <summary>
/// A message on its way to a client, WebSocket header included, in a pooled buffer that belongs to whoever holds the packet.
/// </summary>
/// <param name="Buffer">From the shared pool.</param>
/// <param name="Offset">Where the message begins.</param>
/// <param name="Length">Bytes of the message.</param>
/// <param name="PayloadLength">How many of them are the endpoints' own data.</param>
internal readonly record struct OutgoingPacket(byte[] Buffer, int Offset, int Length, int PayloadLength)
{
    /// <summary>The bytes to send.</summary>
    public ReadOnlySpan<byte> Span => Buffer.AsSpan(Offset, Length);

    /// <summary>Gives the buffer back.</summary>
    public void Return() => ArrayPool<byte>.Shared.Return(Buffer);
}
