using System.Text;
using Blixard.Cluster.Store;

namespace Blixard.Testing.Store;

/// <summary>What the suites of <see cref="IClusterStore"/> share: how they come to a store, and short ways to use it.</summary>
public abstract class StoreSuite
{
    /// <summary>How long a test waits for what a store will surely do, on the slowest machine.</summary>
    protected static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>A new, empty store. The test disposes it; what lies below it belongs to the deriving class.</summary>
    protected abstract Task<IClusterStore> CreateAsync();

    /// <summary>Makes a store forget its first revisions. This one needs a store that keeps 1,000 at most.</summary>
    protected virtual async Task ForgetHistoryAsync(IClusterStore store)
    {
        for (int i = 0; i < 2_100; i++)
            await PutAsync(store, "k", $"{i}");
    }

    protected static async Task<long> PutAsync(IClusterStore store, string key, string value, long lease = 0) =>
        (await store.TransactAsync(new([], [new StoreOperation.Put(key, Bytes(value), lease)]), Cancel)).Revision;

    protected static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    protected static string Text(StoreEntry entry) => Encoding.UTF8.GetString(entry.Value.Span);
}
