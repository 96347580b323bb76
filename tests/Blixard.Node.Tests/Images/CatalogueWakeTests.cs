using Blixard.Images.Catalogue;
using Blixard.Images.Manifests;
using Iroh.Blobs;
using Iroh.Docs;

namespace Blixard.Node.Tests.Images;

/// <summary>What a node's catalogue does at once, not when it next looks.</summary>
public sealed class CatalogueWakeTests
{
    [Fact]
    public async Task A_member_is_told_of_the_document_when_it_comes_and_when_it_comes_again()
    {
        await using CatalogueBench bench = await CatalogueBench.StartAsync();
        int syncs = 0;
        using var stopping = new CancellationTokenSource();
        IAsyncEnumerable<DocumentEvent> events = bench.Other.Own!.Document.Subscribe(stopping.Token);
        Task counting = CountAsync();
        await bench.UntilRestingAsync();
        Assert.Equal(0, Volatile.Read(ref syncs));

        await bench.AddOtherAsync();
        await bench.UntilAsync(() => Volatile.Read(ref syncs) > 0, "the new member was synced with");
        await bench.UntilRestingAsync();
        await bench.RemoveOtherAsync();
        await bench.UntilAsync(() => !bench.IsMember, "the member is gone");
        int before = Volatile.Read(ref syncs);
        await bench.AddOtherAsync();
        await bench.UntilAsync(() => Volatile.Read(ref syncs) > before, "the member that came back was synced with");

        await stopping.CancelAsync();
        await counting;

        async Task CountAsync()
        {
            try
            {
                await foreach (DocumentEvent happened in events)
                {
                    if (happened is DocumentEvent.SyncFinished { Report: { IsDialled: false, Failure: null } })
                        Interlocked.Increment(ref syncs);
                }
            }
            catch (OperationCanceledException)
            {
                // The test has seen enough.
            }
        }
    }

    [Fact]
    public async Task A_name_that_a_removed_member_says_is_taken_back_at_once()
    {
        await using CatalogueBench bench = await CatalogueBench.StartAsync();
        CatalogueDocument said = bench.Other.Own!.Catalogue;
        await bench.UntilAsync(bench.TrySyncOtherAsync, "the catalogue is served");
        await bench.UntilRestingAsync();

        // It knows the secret, and from that the author of all names.
        BlobHash hash = BlobHash.Of("forged"u8);
        var forged = new CatalogueImage
        {
            Name = "web", Tag = "latest", Hash = hash, Collection = hash, SizeBytes = 1, Kind = ManifestKind.Machine, Architecture = "x86_64",
            Labels = new SortedDictionary<string, string>(), AddedBy = "two", AddedAt = DateTimeOffset.UnixEpoch, Copies = 0,
        };
        await said.MirrorAsync(bench.Other.Names, [forged], TestContext.Current.CancellationToken);
        Assert.Single(said.Current.Images);

        await bench.UntilAsync(async () => await bench.TrySyncOtherAsync() && said.Current.Images.Count == 0, "the name is gone");
    }
}
