using Blixard.Cluster.Store;
using Blixard.Etcd.Store;
using Blixard.Etcd.Wire;
using Google.Protobuf;

namespace Blixard.Etcd.Tests.Store;

public sealed class EtcdWatchChangesTests
{
    [Fact]
    public void Events_are_put_together_by_revision()
    {
        var changes = new EtcdWatchChanges(from: 1);
        Assert.Equal(["1: a b", "2: c"], Show(changes.Add(Response(false, (2, "a"), (2, "b"), (3, "c")))));
        Assert.Equal(["3: d"], Show(changes.Add(Response(false, (4, "d")))));
    }

    [Fact]
    public void The_last_revision_of_a_fragment_waits_for_the_rest()
    {
        var changes = new EtcdWatchChanges(from: 1);
        Assert.Equal(["1: a"], Show(changes.Add(Response(true, (2, "a"), (3, "b")))));
        Assert.Empty(changes.Add(Response(true, (3, "c"))));
        Assert.Equal(["2: b c d"], Show(changes.Add(Response(true, (3, "d"), (4, "e")))));
        Assert.Equal(["3: e"], Show(changes.Add(Response(false))));
    }

    [Fact]
    public void What_came_before_the_beginning_or_comes_again_is_dropped()
    {
        var changes = new EtcdWatchChanges(from: 3);
        Assert.Equal(["3: b"], Show(changes.Add(Response(false, (3, "a"), (4, "b")))));
        Assert.Empty(changes.Add(Response(false, (4, "b"))));
    }

    [Fact]
    public void Responses_without_events_say_nothing()
    {
        var changes = new EtcdWatchChanges(from: 1);
        Assert.Empty(changes.Add(new WatchResponse { Created = true }));
        Assert.Empty(changes.Add(new WatchResponse { Header = new ResponseHeader { Revision = 9 } }));
    }

    [Fact]
    public void The_end_of_a_watch_says_why()
    {
        var changes = new EtcdWatchChanges(from: 1);
        Assert.Equal(7, Assert.Throws<StoreCompactedException>(() => changes.Add(new WatchResponse { Canceled = true, CompactRevision = 7 })).OldestRevision);
        Assert.Throws<StoreUnavailableException>(() => changes.Add(new WatchResponse { Canceled = true }));
        Assert.Contains("no leader", Assert.Throws<StoreUnavailableException>(
            () => changes.Add(new WatchResponse { Canceled = true, CancelReason = "etcdserver: no leader" })).Message);
    }

    [Theory]
    [InlineData(100, 0, 10, 5, 90L)]
    [InlineData(100, 85, 10, 5, 90L)]
    [InlineData(100, 86, 10, 5, null)]
    [InlineData(14, 0, 10, 5, null)]
    [InlineData(15, 0, 10, 5, 5L)]
    public void Compaction_goes_in_steps_and_keeps_what_shall_be_kept(long revision, long compacted, int kept, int step, long? expected) =>
        Assert.Equal(expected, EtcdCompactor.Due(revision, compacted, kept, step));

    [Theory]
    [InlineData(10, 100, EtcdPages.Most)]
    [InlineData(64, 1_000, EtcdPages.Most)]
    [InlineData(64, 100_000, 26)]
    [InlineData(9, 1_048_576, EtcdPages.Least)]
    public void Pages_are_as_large_as_one_message_takes(int entries, int size, int expected)
    {
        var page = new RangeResponse();
        page.Kvs.AddRange(Enumerable.Range(0, entries).Select(_ => new KeyValue { Value = ByteString.CopyFrom(new byte[size]) }));
        Assert.Equal(expected, EtcdPages.Next(page));
    }

    private static WatchResponse Response(bool fragment, params (long Revision, string Key)[] events) => new()
    {
        Fragment = fragment,
        Events = { events.Select(item => new Event { Kv = new KeyValue { Key = ByteString.CopyFromUtf8(item.Key), ModRevision = item.Revision } }) },
    };

    private static IEnumerable<string> Show(IReadOnlyList<StoreChanges> revisions) =>
        revisions.Select(changes => $"{changes.Revision}: {string.Join(' ', changes.Changes.Select(change => change.Key))}");
}
