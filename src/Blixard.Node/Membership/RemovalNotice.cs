using Blixard.Cluster.Membership;
using Blixard.Node.Peers;
using Blixard.Rpc.Calls;
using Blixard.V1;

namespace Blixard.Node.Membership;

/// <summary>Finds out that this node was removed from the cluster while it did not run: the servers then refuse it everything, the list of
/// members too. It asks only until that list has come.</summary>
internal static class RemovalNotice
{
    // A server that has just started may know less than this node does; one that says the same for so long knows.
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private const int RefusalsMin = 5;

    /// <summary>Returns true when servers say again and again that this node is no member, and none says otherwise; false when the
    /// members are known.</summary>
    /// <param name="directory">The members.</param>
    /// <param name="peers">Calls the servers.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellationToken">Ends it with <see cref="OperationCanceledException"/>.</param>
    public static async Task<bool> WaitAsync(MemberDirectory directory, PeerTable peers, TimeProvider time, CancellationToken cancellationToken)
    {
        int refusals = 0;
        using var timer = new PeriodicTimer(Interval, time);
        while (await timer.WaitForNextTickAsync(cancellationToken).ConfigureAwait(false))
        {
            if (directory.Loaded.IsCompleted)
                return false;
            bool?[] answers = await Task.WhenAll(directory.Current.Where(pair => pair.Value.Node.Role == NodeRole.Server)
                .Select(pair => peers.TryGet(pair.Key, out Peer? peer) ? AskAsync(peer, cancellationToken) : Task.FromResult<bool?>(null))).ConfigureAwait(false);
            refusals = answers.Contains(true) ? 0 : answers.Contains(false) ? refusals + 1 : refusals;
            if (refusals >= RefusalsMin)
                return true;
        }

        return false;
    }

    // Whether a server takes this node for a member; null if it did not answer.
    private static async Task<bool?> AskAsync(Peer peer, CancellationToken cancellationToken)
    {
        try
        {
            await peer.Channel.CallAsync(ClusterMethods.Ping, new PingRequest(), RpcCallOptions.Within(Interval), cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (RpcException e)
        {
            return e is { StatusCode: RpcStatusCode.PermissionDenied, Stage: RpcFailureStage.Answered } ? false : null;
        }
    }
}
