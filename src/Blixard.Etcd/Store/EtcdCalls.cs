using Blixard.Etcd.Client;
using Blixard.Etcd.Wire;

namespace Blixard.Etcd.Store;

/// <summary>Calls of a member as the store makes them: with a time limit, and patient for a moment while there is no leader.
/// Failures stay <see cref="EtcdException"/>. Thread-safe.</summary>
internal sealed class EtcdCalls(EtcdClient client, TimeProvider time, TimeSpan timeout)
{
    // A member that has lost its leader is without one for as long as votes take, some milliseconds to a second when they are
    // split; one that is longer without is cut off, and another server should be asked.
    private static readonly TimeSpan s_leaderPatience = TimeSpan.FromSeconds(1);

    // Between two looks for a leader: two heartbeats of etcd.
    private static readonly TimeSpan s_leaderPause = TimeSpan.FromMilliseconds(200);

    /// <summary>Reads; a serializable read asks nobody but the member.</summary>
    public Task<RangeResponse> ReadAsync(RangeRequest request, CancellationToken cancellationToken) => request.Serializable
        ? client.RangeAsync(request, new EtcdCallOptions { Timeout = timeout }, cancellationToken)
        : WithLeaderAsync(options => client.RangeAsync(request, options, cancellationToken), canRepeat: true, cancellationToken);

    /// <summary>Makes a call that needs a leader.</summary>
    /// <param name="call">The call, made again only if it had no effect, or if it can be repeated.</param>
    /// <param name="canRepeat">Whether it has the same effect when it is done twice.</param>
    /// <param name="cancellationToken">Ends the waiting between two calls.</param>
    public async Task<T> WithLeaderAsync<T>(Func<EtcdCallOptions, Task<T>> call, bool canRepeat, CancellationToken cancellationToken)
    {
        long started = time.GetTimestamp();
        while (true)
        {
            TimeSpan left = timeout - time.GetElapsedTime(started);
            try
            {
                return await call(new EtcdCallOptions { Timeout = left, RequireLeader = true }).ConfigureAwait(false);
            }
            catch (EtcdException failure) when (IsWorthWaiting(failure, canRepeat, time.GetElapsedTime(started)))
            {
                await Task.Delay(s_leaderPause, time, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private static bool IsWorthWaiting(EtcdException failure, bool canRepeat, TimeSpan elapsed) => failure.Kind switch
    {
        EtcdErrorKind.NoLeader or EtcdErrorKind.NotCapable => elapsed < s_leaderPatience,
        EtcdErrorKind.LeaderChanged => canRepeat && elapsed < s_leaderPatience,
        _ => false,
    };
}
