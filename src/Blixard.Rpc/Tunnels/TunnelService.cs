using System.Runtime.CompilerServices;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Diagnostics;
using Blixard.Rpc.Frames;
using Blixard.Rpc.Services;
using Blixard.V1;

namespace Blixard.Rpc.Tunnels;

/// <summary>The answering end of tunnels: connects each to the service that it names. Serves on every transport alike. Thread-safe.</summary>
/// <param name="connect">Connects to a target, whose name has 1..64 characters, for a caller; the tunnel owns the stream, which should
/// be a <see cref="System.Net.Sockets.NetworkStream"/>, as other streams cannot be half closed. It throws <see cref="RpcException"/>:
/// PERMISSION_DENIED (this caller may not), NOT_FOUND (no such target here), UNAVAILABLE (it does not answer); an
/// <see cref="IOException"/> or <see cref="System.Net.Sockets.SocketException"/> counts as UNAVAILABLE.</param>
/// <param name="metrics">Where tunnels and their bytes are counted; null = nowhere.</param>
public sealed class TunnelService(
    Func<string, RpcContext, CancellationToken, ValueTask<Stream>> connect, RpcMetrics? metrics = null)
{
    private static readonly TunnelFrame s_opened = new() { Opened = new TunnelOpened() };

    /// <summary>The service, to be put into a table.</summary>
    public RpcService Bind() => new RpcService(TunnelReflection.Descriptor, "Tunnel")
        .Duplex(TunnelMethods.Open, (frames, context) => OpenAsync(frames, context))
        .Bytes(TunnelMethods.Open, PassAsync)
        .Duplex(TunnelMethods.Pulse, static (pulses, _) => pulses);

    private async IAsyncEnumerable<TunnelFrame> OpenAsync(
        IAsyncEnumerable<TunnelFrame> requests, RpcContext context, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        // Fires when the call is over, and when one direction fails: that ends the other.
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await using IAsyncEnumerator<TunnelFrame> frames = requests.GetAsyncEnumerator(ended.Token);
        string target = await ReadTargetAsync(frames).ConfigureAwait(false);
        await using Stream local = await ConnectAsync(target, context, cancellationToken).ConfigureAwait(false);
        var count = new TunnelCount(metrics, target, context.Peer.Transport, "server");
        Task writing = Task.CompletedTask;
        try
        {
            yield return s_opened;
            writing = WriteAsync(frames, local, count, ended);
            await using IAsyncEnumerator<TunnelFrame> reading =
                TunnelBytes.ReadAsync(local, count.AddSent, ended.Token).GetAsyncEnumerator(CancellationToken.None);
            while (await NextAsync(reading, writing).ConfigureAwait(false))
                yield return reading.Current;
            await writing.ConfigureAwait(false);
        }
        finally
        {
            await ended.CancelAsync().ConfigureAwait(false);
            await writing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            count.Close();
        }
    }

    // For callers whose stream carries the bytes as they are.
    private async Task PassAsync(TunnelFrame first, ByteExchange<TunnelFrame> exchange, RpcContext context)
    {
        string target = TargetOf(first);
        await using Stream local = await ConnectAsync(target, context, context.CancellationToken).ConfigureAwait(false);
        RpcStream stream = await exchange.AcceptAsync(s_opened, context.CancellationToken).ConfigureAwait(false);
        var count = new TunnelCount(metrics, target, context.Peer.Transport, "server");
        using var pipe = new TunnelPipe(local, stream, count.AddSent, count.AddReceived, context.CancellationToken);
        try
        {
            await pipe.RunAsync().ConfigureAwait(false);
        }
        catch (TunnelLocalException e)
        {
            throw Broke(e);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw new RpcException(RpcStatusCode.Cancelled, $"the caller is gone: {e.Message}", inner: e);
        }
        finally
        {
            exchange.Count(pipe.Received, pipe.Sent);
            count.Close();
        }
    }

    private static async ValueTask<string> ReadTargetAsync(IAsyncEnumerator<TunnelFrame> frames) =>
        TargetOf(await frames.MoveNextAsync().ConfigureAwait(false) ? frames.Current : null);

    private static string TargetOf(TunnelFrame? first)
    {
        if (first?.Open is not { } open)
            throw new RpcException(RpcStatusCode.InvalidArgument, "a tunnel begins with an open frame");
        return open.Target.Length is > 0 and <= TunnelLimits.TargetLengthMax
            ? open.Target
            : throw new RpcException(RpcStatusCode.InvalidArgument, $"a tunnel's target has 1 to {TunnelLimits.TargetLengthMax} characters");
    }

    private async ValueTask<Stream> ConnectAsync(string target, RpcContext context, CancellationToken cancellationToken)
    {
        try
        {
            return await connect(target, context, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException)
        {
            throw new RpcException(RpcStatusCode.Unavailable, $"{target} does not answer: {e.Message}", inner: e);
        }
    }

    private static async Task WriteAsync(IAsyncEnumerator<TunnelFrame> frames, Stream local, TunnelCount count, CancellationTokenSource ended)
    {
        try
        {
            await TunnelBytes.WriteAsync(frames, local, count.AddReceived, ended.Token).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            await ended.CancelAsync().ConfigureAwait(false);
            throw e switch
            {
                TunnelProtocolException => new RpcException(RpcStatusCode.InvalidArgument, e.Message),
                TunnelLocalException => Broke(e),
                _ => e,
            };
        }
    }

    private static async ValueTask<bool> NextAsync(IAsyncEnumerator<TunnelFrame> reading, Task writing)
    {
        try
        {
            return await reading.MoveNextAsync().ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // The call is over, or the other direction failed: then that is the reason.
            await writing.ConfigureAwait(false);
            throw;
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            throw Broke(e);
        }
    }

    private static RpcException Broke(Exception e) =>
        new(RpcStatusCode.Aborted, $"the service's connection broke: {e.Message}", inner: e);
}
