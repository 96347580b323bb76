using System.Diagnostics;
using Iroh;
using Iroh.Protocols;
using Iroh.Quic;

namespace Blixard.Cli.Net;

/// <summary>
/// The ping protocol of the iroh world: a bidirectional stream with the four bytes PING, answered by PONG. Each ping is a stream
/// of its own, so the round trip is that of an application, not of a packet.
/// </summary>
internal sealed class PingProtocol : IProtocolHandler
{
    /// <summary>Its name in the handshake.</summary>
    public const string Name = "iroh/ping/0";

    private static readonly byte[] s_ping = "PING"u8.ToArray();
    private static readonly byte[] s_pong = "PONG"u8.ToArray();

    /// <summary>Sends one ping and returns the time until its answer was read.</summary>
    /// <param name="connection">A connection with this protocol, or any other whose peer echoes streams.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="InvalidDataException">The answer was something else.</exception>
    public static async Task<TimeSpan> PingAsync(IrohConnection connection, CancellationToken cancellationToken)
    {
        long start = Stopwatch.GetTimestamp();
        await using QuicStream stream = await connection.OpenBidirectionalStreamAsync(cancellationToken).ConfigureAwait(false);
        await stream.WriteAsync(s_ping, cancellationToken).ConfigureAwait(false);
        stream.CompleteWrites();
        byte[] answer = new byte[4];
        await stream.ReadExactlyAsync(answer, cancellationToken).ConfigureAwait(false);
        TimeSpan roundTrip = Stopwatch.GetElapsedTime(start);
        byte[] expected = connection.ApplicationProtocol == Name ? s_pong : s_ping;
        return answer.AsSpan().SequenceEqual(expected)
            ? roundTrip
            : throw new InvalidDataException("The peer answered the ping with something else: it does not speak this protocol.");
    }

    /// <inheritdoc/>
    public async Task AcceptAsync(IrohConnection connection, CancellationToken cancellationToken)
    {
        byte[] ping = new byte[4];
        while (!connection.Closed.IsCompleted)
        {
            await using QuicStream stream = await connection.AcceptBidirectionalStreamAsync(cancellationToken).ConfigureAwait(false);
            await stream.ReadExactlyAsync(ping, cancellationToken).ConfigureAwait(false);
            if (!ping.AsSpan().SequenceEqual(s_ping))
                throw new InvalidDataException("The peer sent something else than a ping.");
            await stream.WriteAsync(s_pong, cancellationToken).ConfigureAwait(false);
            stream.CompleteWrites();
        }
    }
}
