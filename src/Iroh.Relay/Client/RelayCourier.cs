using Iroh.Base;
using Iroh.Relay.Protocol;

namespace Iroh.Relay.Client;

/// <summary>Carries the frames of one connection both ways and tells the session what it sees. Runs once.</summary>
/// <param name="url">The relay.</param>
/// <param name="connection">Stays the caller's.</param>
/// <param name="attempt">The session's number of the connection.</param>
/// <param name="driver">The session.</param>
/// <param name="queue">What is to be sent.</param>
/// <param name="metrics">Counts.</param>
/// <param name="receiver">Takes what comes.</param>
internal sealed class RelayCourier(
    RelayUrl url,
    RelayConnection connection,
    int attempt,
    RelaySessionDriver driver,
    RelaySendQueue queue,
    RelayMetrics metrics,
    IRelayReceiver receiver)
{
    private readonly EndpointIdCache _ids = new();

    /// <summary>Carries until the connection ends or is stopped; then nothing is called any more.</summary>
    /// <param name="stop">Stops it; set when it ends by itself.</param>
    /// <param name="ended">Called when the connection is of no use any more, before the session is told.</param>
    public async Task RunAsync(CancellationTokenSource stop, Action ended)
    {
        Task<string?> receiving = EndedAsync(ReceiveAsync(stop.Token));
        Task<string?> sending = EndedAsync(SendAsync(stop.Token));
        string? reason = await (await Task.WhenAny(receiving, sending).ConfigureAwait(false)).ConfigureAwait(false);
        ended();
        if (reason is not null)
            driver.Tell(static (session, now, lost) => session.OnLost(now, lost.attempt, lost.reason), (attempt, reason));
        await stop.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(receiving, sending).ConfigureAwait(false);
    }

    // The reason, or null if it was stopped.
    private static async Task<string?> EndedAsync(Task task)
    {
        try
        {
            await task.ConfigureAwait(false);
            return null;
        }
        catch (OperationCanceledException)
        {
            return null;
        }
        catch (Exception exception)
        {
            return exception.Message;
        }
    }

    private async Task SendAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            RelaySendBatch batch = await queue.TakeAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                driver.Tell(
                    static (session, now, write) => session.OnWriteStarted(now, write.attempt, write.HasDatagrams),
                    (attempt, HasDatagrams: batch.Packets > 0));
                await connection.WriteAsync(batch.Bytes, cancellationToken).ConfigureAwait(false);
                driver.Tell(static (session, _, attempt) => session.OnWritten(attempt), attempt);
                metrics.OnSent(batch.Packets);
            }
            catch (Exception)
            {
                metrics.OnNotConnected(batch.Packets);
                throw;
            }
            finally
            {
                RelaySendQueue.Return(batch);
            }
        }
    }

    private async Task ReceiveAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            while (connection.TryReceive(out Memory<byte> message))
                Handle(message.Span);
            // Once a read, not once a message; part of a message shows as well that the relay lives.
            driver.Tell(static (session, now, attempt) => session.OnReceived(now, attempt), attempt);
            await connection.FillAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private void Handle(Span<byte> message)
    {
        if (!RelayFrame.TryRead(message, RelayRole.Relay, connection.Version, out RelayFrame frame, out RelayFrameError error))
            throw Broken(error);
        switch (frame.Type)
        {
            case RelayFrameType.RelayToClientDatagram or RelayFrameType.RelayToClientDatagramBatch:
                if (!_ids.TryGet(frame.Peer, out EndpointId source))
                    throw Broken(RelayFrameError.InvalidEndpointId);
                int length = frame.Payload.Length;
                if (length == 0)
                    break;
                int segmentSize = frame.SegmentSize == 0 ? length : Math.Min(frame.SegmentSize, length);
                metrics.OnReceived((length + segmentSize - 1) / segmentSize, length);
                receiver.OnDatagrams(url, source, frame.Ecn, message[^length..], segmentSize);
                break;
            case RelayFrameType.EndpointGone:
                if (!_ids.TryGet(frame.Peer, out EndpointId gone))
                    throw Broken(RelayFrameError.InvalidEndpointId);
                receiver.OnPeerGone(url, gone);
                break;
            case RelayFrameType.Ping:
                Span<byte> pong = stackalloc byte[RelayFrame.PingLength];
                RelayFrameWriter.WritePong(pong, frame.PingData);
                queue.TryAppendControl(pong);
                break;
            case RelayFrameType.Pong:
                driver.Tell(static (session, now, pong) => session.OnPong(now, pong.attempt, pong.PingData), (attempt, frame.PingData));
                break;
            case RelayFrameType.Health:
                driver.Tell(static (session, _, health) => session.OnHealth(health.attempt, RelayStatus.Healthy, health.Text), (attempt, frame.Text));
                break;
            case RelayFrameType.Status:
                driver.Tell(static (session, _, health) => session.OnHealth(health.attempt, health.Status, null), (attempt, frame.Status));
                break;
            case RelayFrameType.Restarting:
                driver.Tell(
                    static (session, _, restart) => session.OnRestarting(restart.attempt, restart.ReconnectIn, restart.TryFor),
                    (attempt, frame.ReconnectIn, frame.TryFor));
                break;
        }
    }

    private RelayConnectException Broken(RelayFrameError error) =>
        new(url, RelayFailure.Lost, $"The relay {url} broke the relay protocol ({error})");
}
