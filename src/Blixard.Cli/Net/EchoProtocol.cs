using Iroh;
using Iroh.Protocols;
using Iroh.Quic;

namespace Blixard.Cli.Net;

/// <summary>
/// Sends back what comes: a bidirectional stream on itself, a unidirectional one on a new one of ours, a datagram as a datagram.
/// </summary>
internal sealed class EchoProtocol : IProtocolHandler
{
    /// <inheritdoc/>
    public Task AcceptAsync(IrohConnection connection, CancellationToken cancellationToken) => Task.WhenAll(
        UntilClosedAsync(connection, async () =>
        {
            QuicStream stream = await connection.AcceptBidirectionalStreamAsync(cancellationToken).ConfigureAwait(false);
            _ = EchoAsync(stream, stream, cancellationToken);
        }),
        UntilClosedAsync(connection, async () =>
        {
            QuicStream stream = await connection.AcceptUnidirectionalStreamAsync(cancellationToken).ConfigureAwait(false);
            _ = EchoAsync(stream, await connection.OpenUnidirectionalStreamAsync(cancellationToken).ConfigureAwait(false), cancellationToken);
        }),
        UntilClosedAsync(connection, async () =>
        {
            byte[] datagram = await connection.ReceiveDatagramAsync(cancellationToken).ConfigureAwait(false);
            await connection.SendDatagramAsync(datagram, cancellationToken).ConfigureAwait(false);
        }));

    private static async Task UntilClosedAsync(IrohConnection connection, Func<Task> step)
    {
        try
        {
            while (true)
                await step().ConfigureAwait(false);
        }
        catch (QuicConnectionException) when (connection.Closed.IsCompleted)
        {
        }
    }

    // A stream that breaks off concerns its two ends only; they are told by its reset.
    private static async Task EchoAsync(QuicStream from, QuicStream to, CancellationToken cancellationToken)
    {
        try
        {
            await from.CopyToAsync(to, cancellationToken).ConfigureAwait(false);
            to.CompleteWrites();
            await to.WritesFinished.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is QuicException or OperationCanceledException)
        {
        }
        finally
        {
            await from.DisposeAsync().ConfigureAwait(false);
            await to.DisposeAsync().ConfigureAwait(false);
        }
    }
}
