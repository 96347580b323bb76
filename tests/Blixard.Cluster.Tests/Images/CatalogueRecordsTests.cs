using Blixard.Cluster.Images;
using Blixard.Cluster.Store;
using Blixard.Cluster.Tests.Support;
using Blixard.V1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace Blixard.Cluster.Tests.Images;

public class CatalogueRecordsTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task Of_several_who_use_it_first_one_makes_it_and_all_get_the_same()
    {
        await using var temporary = new TemporaryStore();
        var records = new CatalogueRecords(temporary.Store);
        Assert.Null(await records.GetAsync());
        CatalogueRecord[] got = await Task.WhenAll(Enumerable.Range(1, 8).Select(number => records.CreateAsync(Record((byte)number))));
        Assert.Single(got.Distinct());
        Assert.Equal(got[0], await records.GetAsync());
    }

    [Fact]
    public async Task Changes_of_several_at_once_are_all_made()
    {
        await using var temporary = new TemporaryStore();
        var records = new CatalogueRecords(temporary.Store);
        RecordException missing = await Assert.ThrowsAsync<RecordException>(() => records.UpdateAsync(record => record));
        Assert.Equal(RecordFailure.NotFound, missing.Failure);
        await records.CreateAsync(Record(1));
        await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => records.UpdateAsync(record =>
        {
            record.CreatedBy += "x";
            return record;
        })));
        Assert.Equal("nodexxxxx", (await records.GetAsync())!.CreatedBy);
    }

    [Fact]
    public async Task Sharing_goes_on_in_the_same_document_and_begins_anew_in_another()
    {
        DateTimeOffset now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
        CatalogueRecord Shared(byte number, int hours) => new(Record(number)) { SharedUntil = Timestamp.FromDateTimeOffset(now.AddHours(hours)) };
        Assert.Equal(Shared(2, 1), CatalogueRecords.Share(Record(1), Shared(2, 1), now));
        Assert.Equal(Shared(2, 1), CatalogueRecords.Share(Shared(1, 0), Shared(2, 1), now));
        Assert.Equal(Shared(1, 2), CatalogueRecords.Share(Shared(1, 1), Shared(2, 2), now));
        Assert.Equal(Shared(1, 3), CatalogueRecords.Share(Shared(1, 3), Shared(2, 2), now));

        await using var temporary = new TemporaryStore();
        var records = new CatalogueRecords(temporary.Store);
        Assert.False(await records.IsSharedAsync(now));
        await records.CreateAsync(Shared(1, 1));
        Assert.True(await records.IsSharedAsync(now));
        Assert.False(await records.IsSharedAsync(now.AddHours(1)));
        await temporary.Store.TransactAsync(new StoreTransaction([], [new StoreOperation.Put(CatalogueRecords.Key, new byte[] { 0xff })]));
        Assert.False(await records.IsSharedAsync(now));
    }

    [Fact]
    public async Task Catalogues_of_others_are_listed_by_name_and_limited()
    {
        await using var temporary = new TemporaryStore();
        var records = new CatalogueRecords(temporary.Store);
        for (int number = CatalogueRecords.ForeignMax; number > 0; number--)
            await records.SetForeignAsync(Foreign($"c{number:00}", "ticket"));
        Assert.Equal("c01", (await records.ListForeignAsync())[0].Name);
        await records.SetForeignAsync(Foreign("c01", "newer"));
        Assert.Equal("newer", (await records.ListForeignAsync())[0].Ticket);
        await RefusedAsync(RecordFailure.Conflict, records.SetForeignAsync(Foreign("more", "ticket")));
        await RefusedAsync(RecordFailure.NotFound, records.RemoveForeignAsync("more"));
        await records.RemoveForeignAsync("c01");
        await records.SetForeignAsync(Foreign("more", "ticket"));
        foreach (string wrong in new[] { "", "A", "a/b", new string('a', 65) })
            await RefusedAsync(RecordFailure.Invalid, records.SetForeignAsync(Foreign(wrong, "ticket")));
    }

    [Fact]
    public async Task Whoever_follows_sees_each_change_and_passes_over_what_cannot_be_read()
    {
        await using var temporary = new TemporaryStore();
        var records = new CatalogueRecords(temporary.Store);
        using var limit = new CancellationTokenSource(s_patience);
        await using IAsyncEnumerator<CatalogueState> states = records.FollowAsync(TimeProvider.System, limit.Token).GetAsyncEnumerator(limit.Token);
        Assert.True(await states.MoveNextAsync());
        Assert.Null(states.Current.Own);
        await records.CreateAsync(Record(1));
        Assert.True(await states.MoveNextAsync());
        Assert.Equal(Record(1), states.Current.Own);
        await records.SetForeignAsync(Foreign("other", "ticket"));
        Assert.True(await states.MoveNextAsync());
        Assert.Equal("other", Assert.Single(states.Current.Foreign).Name);
        await temporary.Store.TransactAsync(new StoreTransaction([], [new StoreOperation.Put(CatalogueRecords.ForeignPrefix + "bad", new byte[] { 255 })]));
        Assert.True(await states.MoveNextAsync());
        Assert.Single(states.Current.Foreign);
        await records.RemoveForeignAsync("other");
        Assert.True(await states.MoveNextAsync());
        Assert.Empty(states.Current.Foreign);
    }

    private static async Task RefusedAsync(RecordFailure failure, Task task) =>
        Assert.Equal(failure, (await Assert.ThrowsAsync<RecordException>(() => task)).Failure);

    private static CatalogueRecord Record(byte seed) =>
        new() { NamespaceSeed = ByteString.CopyFrom(Enumerable.Repeat(seed, 32).ToArray()), CreatedBy = "node" };

    private static ForeignCatalogueRecord Foreign(string name, string ticket) => new() { Name = name, Ticket = ticket, AddedBy = "node" };
}
