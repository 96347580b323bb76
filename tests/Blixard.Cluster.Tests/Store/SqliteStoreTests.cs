using Blixard.Cluster.Store;
using Blixard.Testing.Store;
using Iroh.Cryptography;

namespace Blixard.Cluster.Tests.Store;

public sealed class SqliteStoreTests : ClusterStoreSuite, IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("blixard-store-").FullName;
    private int _created;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task What_was_committed_is_there_after_reopening()
    {
        string path = Path.Combine(_folder, "reopened.db");
        await using (SqliteStore store = Open(path))
            await PutAsync(store, "a", "1");
        await using SqliteStore again = Open(path);
        Assert.Equal("1", Text((await again.GetAsync("a", TestContext.Current.CancellationToken))!));
        Assert.Equal(2, await PutAsync(again, "a", "2"));
    }

    [Fact]
    public void A_file_that_is_no_store_is_refused_in_words()
    {
        string path = Path.Combine(_folder, "text.db");
        File.WriteAllText(path, new string('x', 5000));
        Assert.Contains("not a SQLite database", Assert.Throws<StoreUnavailableException>(() => Open(path)).Message);
    }

    [Fact]
    public void A_missing_folder_is_named() =>
        Assert.Contains("does not exist", Assert.Throws<StoreUnavailableException>(() => Open(Path.Combine(_folder, "no", "store.db"))).Message);

    protected override Task<IClusterStore> CreateAsync() =>
        Task.FromResult<IClusterStore>(Open(Path.Combine(_folder, $"{_created++}.db"), 1_000));

    private static SqliteStore Open(string path, int historyRevisionsMax = SqliteStore.HistoryRevisionsMax, TimeProvider? time = null) =>
        SqliteStore.Open(path, time ?? TimeProvider.System, OperatingSystemRandomSource.Instance, historyRevisionsMax);
}
