using System.Buffers;
using Iroh.Relay.WebSockets;

namespace Iroh.Relay.Server.WebSockets;

/// <summary>
/// One message of a client in a pooled buffer that belongs to whoever holds the message: it is given back once, by
/// <see cref="Return"/>, or handed on.
/// </summary>
/// <param name="Opcode">What it is; never <see cref="WebSocketOpcode.Continuation"/>.</param>
/// <param name="Buffer">From the shared pool; the message begins at <see cref="Offset"/>.</param>
/// <param name="Length">Bytes of the message.</param>
internal readonly record struct WebSocketMessage(WebSocketOpcode Opcode, byte[] Buffer, int Length)
{
    /// <summary>Room in front of the message, so that a server's header fits before it when it is forwarded.</summary>
    public const int Offset = WebSocketFrameHeader.ServerLengthMax;

    /// <summary>The message's bytes, without mask.</summary>
    public Span<byte> Span => Buffer.AsSpan(Offset, Length);

    /// <summary>Gives the buffer back.</summary>
    public void Return() => ArrayPool<byte>.Shared.Return(Buffer);
}
