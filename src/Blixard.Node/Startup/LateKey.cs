using Blixard.Cluster.Membership;
using Blixard.Cluster.Store;
using Iroh.Base;

namespace Blixard.Node.Startup;

/// <summary>Waits for a key file that could not be read when the node started, and uses the key once it can be.</summary>
/// <param name="path">The key file.</param>
/// <param name="expectedId">The endpoint id that the key must have; null: any.</param>
/// <param name="use">Does what the key is needed for; tried again when it fails.</param>
/// <param name="stillMissing">Told at each look why the key cannot be read.</param>
/// <param name="failed">Told why the key could be read and not be used; the same reason once.</param>
/// <param name="time">Paces the looks.</param>
internal sealed class LateKey(
    string path, Func<string?> expectedId, Func<SecretKey, CancellationToken, Task> use, Action<string> stillMissing, Action<string> failed,
    TimeProvider time)
{
    // How often the file is looked at again: somebody is repairing it.
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

    /// <summary>Returns when the key was used, or when <paramref name="stopping"/> fires.</summary>
    public async Task WaitAsync(CancellationToken stopping)
    {
        string told = "";
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stopping).ConfigureAwait(false))
            {
                try
                {
                    if (KeyLoader.TryLoad(path, expectedId(), out string problem) is { } key)
                    {
                        await use(key, stopping).ConfigureAwait(false);
                        return;
                    }

                    stillMissing(problem);
                }
                catch (Exception e) when (e is NodeStartException or MembershipException or StoreUnavailableException or IOException or UnauthorizedAccessException)
                {
                    if (told != e.Message)
                        failed($"The key can be read again, but: {e.Message}");
                    told = e.Message;
                }
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Disposed.
        }
    }
}
