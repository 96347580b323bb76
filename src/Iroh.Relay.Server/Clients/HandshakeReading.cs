using System.Buffers;
using System.IO.Pipelines;
using Iroh.Base;
using Iroh.Relay.Protocol;
using Iroh.Relay.Server.WebSockets;
using Iroh.Relay.WebSockets;

namespace Iroh.Relay.Server.Clients;

/// <summary>Reads a client's answer to the challenge.</summary>
internal static class HandshakeReading
{
    // Nothing but the answer is expected; a client that pings or writes text meanwhile is borne with, within bounds.
    private const int OtherMessagesMax = 16;

    /// <summary>Waits for the answer. What comes after it stays in <paramref name="input"/> and <paramref name="messages"/>.</summary>
    /// <param name="input">What the client sends.</param>
    /// <param name="messages">Reads messages.</param>
    /// <param name="challenge">What the client has to sign.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Who the client says it is and whether it has proved that; null if it broke the protocol or left.</returns>
    public static async Task<(EndpointId Id, bool IsProved)?> ReadAnswerAsync(
        PipeReader input, WebSocketMessageReader messages, byte[] challenge, CancellationToken cancellationToken)
    {
        int others = 0;
        while (true)
        {
            ReadResult result = await input.ReadAsync(cancellationToken).ConfigureAwait(false);
            ReadOnlySequence<byte> rest = result.Buffer;
            WebSocketReadResult read = messages.TryRead(ref rest, out WebSocketMessage message);
            // After a whole message there may be more, which is to be looked at before waiting.
            input.AdvanceTo(rest.Start, read == WebSocketReadResult.Done ? rest.Start : rest.End);
            if (read == WebSocketReadResult.NeedsMore && !result.IsCompleted)
                continue;
            if (read != WebSocketReadResult.Done)
                return null;
            WebSocketOpcode opcode = message.Opcode;
            (EndpointId, bool)? answer = opcode == WebSocketOpcode.Binary ? Check(message.Span, challenge) : null;
            message.Return();
            if (opcode is WebSocketOpcode.Binary or WebSocketOpcode.Close || ++others > OtherMessagesMax)
                return answer;
        }
    }

    private static (EndpointId Id, bool IsProved)? Check(ReadOnlySpan<byte> message, byte[] challenge) =>
        RelayHandshake.TryReadClientAuth(message, out EndpointId id, out ReadOnlySpan<byte> signature)
            ? (id, RelayHandshake.Verify(id, challenge, signature))
            : null;
}
