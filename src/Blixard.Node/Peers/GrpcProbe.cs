using Blixard.Rpc.Calls;
using Blixard.V1;

namespace Blixard.Node.Peers;

/// <summary>Finds out whether each peer can be reached over gRPC, so that a status knows it before calls need it.</summary>
internal sealed class GrpcProbe : IAsyncDisposable
{
    // A peer that has just become known is asked at the next look; one that answered, or did not, after a while again.
    // One that did not answer may have been asked before it served: it is asked again soon.
    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan AgainInterval = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan AskInterval = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(5);

    private readonly PeerTable _peers;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _loop;

    public GrpcProbe(PeerTable peers, TimeProvider time)
    {
        (_peers, _time) = (peers, time);
        _loop = Task.Run(RunAsync);
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(false);
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        long asked = 0, askedAgain = 0;
        using var timer = new PeriodicTimer(LookInterval, _time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stopping.Token).ConfigureAwait(false))
            {
                bool everybody = asked == 0 || _time.GetElapsedTime(asked) >= AskInterval;
                if (everybody)
                    asked = _time.GetTimestamp();
                bool again = everybody || _time.GetElapsedTime(askedAgain) >= AgainInterval;
                if (again)
                    askedAgain = _time.GetTimestamp();
                await Task.WhenAll(_peers.All
                    .Where(peer => everybody || IsDue(peer.Grpc.Status, again))
                    .Select(AskAsync)).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // Disposed.
        }
    }

    private static bool IsDue(GrpcStatus status, bool again) =>
        status.Address.Length > 0 && (status.State == GrpcState.Unknown || (again && status.State == GrpcState.Unreachable));

    private async Task AskAsync(Peer peer)
    {
        try
        {
            await peer.Grpc.CallAsync(ClusterMethods.Ping, new PingRequest(), RpcCallOptions.Within(AnswerTimeout), _stopping.Token).ConfigureAwait(false);
        }
        catch (RpcException)
        {
            // The route has noted it.
        }
    }
}
