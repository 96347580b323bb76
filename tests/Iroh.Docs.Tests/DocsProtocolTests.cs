using Blixard.Testing.Basics;
using Iroh.Base;
using Iroh.Blobs;
using Iroh.Cryptography;
using Iroh.Docs.Reconciliation;
using Iroh.Docs.Store;
using Iroh.Docs.Sync;
using Iroh.Quic;

namespace Iroh.Docs;

/// <summary>Documents between endpoints on the loopback interface.</summary>
public sealed class DocsProtocolTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact(Timeout = Patience.Test)]
    public async Task A_ticket_brings_entries_deletions_and_contents_to_another_endpoint_and_back()
    {
        await using DocsPeer alice = await DocsPeer.StartAsync(), bob = await DocsPeer.StartAsync();
        Document hers = alice.Docs.Create();
        AuthorId author = alice.Docs.DefaultAuthor;
        Assert.Equal(author, alice.Docs.DefaultAuthor);
        await hers.SetBytesAsync(author, "web/1"u8.ToArray(), "one"u8.ToArray(), Cancel);
        await hers.SetBytesAsync(author, "web/2"u8.ToArray(), "two"u8.ToArray(), Cancel);
        await hers.SetBytesAsync(author, "db"u8.ToArray(), "three"u8.ToArray(), Cancel);
        Assert.Equal(2, hers.Delete(author, "web/"u8));

        DocTicket ticket = DocTicket.Parse(hers.Share(allowWriting: true).ToString());
        Document his = bob.Docs.Import(ticket.Capability);
        await using IAsyncEnumerator<DocumentEvent> events = his.Subscribe(Cancel).GetAsyncEnumerator(Cancel);
        his.StartSync(ticket.Nodes);
        await UntilAsync<DocumentEvent.SyncFinished>(events);
        await UntilAsync<DocumentEvent.PendingContentReady>(events);

        Assert.Null(his.Get(author, "web/1"u8));
        Assert.True(his.Get(author, "web/"u8, includeEmpty: true)!.IsEmpty);
        Assert.Equal("three", await bob.ReadTextAsync(his.Get(author, "db"u8)!.ContentHash));
        Assert.Equal([alice.Endpoint.Id], his.UsefulPeers);

        await his.SetBytesAsync(bob.Docs.DefaultAuthor, "his"u8.ToArray(), "four"u8.ToArray(), Cancel);
        SyncReport report = await his.SyncWithAsync(alice.Endpoint.Address, Cancel);
        Assert.True(report.IsComplete);
        Assert.Equal(1, report.Outcome.Sent);
        Assert.NotNull(hers.Get(bob.Docs.DefaultAuthor, "his"u8));
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Who_may_only_read_cannot_write_nor_give_the_right_away()
    {
        await using DocsPeer alice = await DocsPeer.StartAsync(), bob = await DocsPeer.StartAsync();
        Document hers = alice.Docs.Create();
        Document his = bob.Docs.Import(hers.Share(allowWriting: false).Capability);
        Assert.False(his.CanWrite);
        Assert.Contains("may only be read", Assert.Throws<InvalidOperationException>(() => his.Delete(bob.Docs.DefaultAuthor, "x"u8)).Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => his.Share(allowWriting: true));
        Assert.Throws<InvalidOperationException>(() => hers.Delete(Author.Generate(new SeededRandomSource(1)).Id, "x"u8));
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Strangers_are_told_that_the_document_is_not_here()
    {
        var friend = SecretKey.Generate();
        await using DocsPeer alice = await DocsPeer.StartAsync(options: new DocsOptions { Authorize = (peer, _) => peer == friend.PublicKey });
        await using DocsPeer bob = await DocsPeer.StartAsync(key: friend), eve = await DocsPeer.StartAsync();
        Document hers = alice.Docs.Create();
        DocumentCapability read = DocumentCapability.Read(hers.Id);
        Document his = bob.Docs.Import(read), stolen = eve.Docs.Import(read);
        Assert.Equal(SyncFailure.NotFound, (await Assert.ThrowsAsync<SyncException>(() => his.SyncWithAsync(alice.Endpoint.Address, Cancel))).Failure);
        hers.StartSync();
        Assert.True((await his.SyncWithAsync(alice.Endpoint.Address, Cancel)).IsComplete);
        Assert.Equal(SyncFailure.NotFound, (await Assert.ThrowsAsync<SyncException>(() => stolen.SyncWithAsync(alice.Endpoint.Address, Cancel))).Failure);
        await hers.LeaveAsync();
        Assert.Equal(SyncFailure.NotFound, (await Assert.ThrowsAsync<SyncException>(() => his.SyncWithAsync(alice.Endpoint.Address, Cancel))).Failure);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Two_that_dial_each_other_at_once_both_come_to_an_end()
    {
        await using DocsPeer alice = await DocsPeer.StartAsync(), bob = await DocsPeer.StartAsync();
        Document hers = alice.Docs.Create();
        Document his = bob.Docs.Import(hers.Share(allowWriting: true).Capability);
        his.StartSync();
        for (int i = 0; i < 10; i++)
        {
            hers.SetHash(alice.Docs.DefaultAuthor, [(byte)i], BlobHash.Of([1]), 1);
            his.SetHash(bob.Docs.DefaultAuthor, [(byte)i], BlobHash.Of([2]), 1);
            await Task.WhenAll(hers.SyncWithAsync(bob.Endpoint.Address, Cancel), his.SyncWithAsync(alice.Endpoint.Address, Cancel)).WaitAsync(s_patience, Cancel);
            Assert.Equal(State(hers), State(his));
        }
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Small_replies_take_several_syncs_and_lose_nothing()
    {
        var small = new DocsOptions { Reconciliation = new ReconciliationOptions { ReplyBytesMax = 2000 } };
        await using DocsPeer alice = await DocsPeer.StartAsync(options: small), bob = await DocsPeer.StartAsync(options: small);
        Document hers = alice.Docs.Create();
        Document his = bob.Docs.Import(hers.Share(allowWriting: true).Capability);
        for (int i = 0; i < 60; i++)
            (i % 3 == 0 ? his : hers).SetHash((i % 3 == 0 ? bob : alice).Docs.DefaultAuthor, [(byte)i], BlobHash.Of([1]), 1);
        await his.SyncWithAsync(alice.Endpoint.Address, Cancel).WaitAsync(s_patience, Cancel);
        Assert.Equal(60, hers.EntryCount);
        Assert.Equal(State(hers), State(his));
    }

    [Fact(Timeout = Patience.Test)]
    public async Task The_policy_decides_what_is_fetched()
    {
        await using DocsPeer alice = await DocsPeer.StartAsync(), bob = await DocsPeer.StartAsync();
        Document hers = alice.Docs.Create();
        await hers.SetBytesAsync(alice.Docs.DefaultAuthor, "big/a"u8.ToArray(), "big"u8.ToArray(), Cancel);
        await hers.SetBytesAsync(alice.Docs.DefaultAuthor, "small/a"u8.ToArray(), "small"u8.ToArray(), Cancel);
        DocTicket ticket = hers.Share(allowWriting: false);
        Document his = bob.Docs.Import(ticket.Capability);
        his.DownloadPolicy = DownloadPolicy.NothingExcept(KeyFilter.Prefix("small/"u8));
        await using IAsyncEnumerator<DocumentEvent> events = his.Subscribe(Cancel).GetAsyncEnumerator(Cancel);
        await his.SyncWithAsync(ticket.Nodes[0], Cancel);
        Assert.Equal(BlobHash.Of("small"u8), (await UntilAsync<DocumentEvent.ContentReady>(events)).Content);
        Assert.False(bob.Blobs.GetStatus(BlobHash.Of("big"u8)).IsComplete);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Contents_that_were_not_fetched_before_are_when_syncing_starts_again()
    {
        await using DocsPeer alice = await DocsPeer.StartAsync(), bob = await DocsPeer.StartAsync();
        Document hers = alice.Docs.Create();
        await hers.SetBytesAsync(alice.Docs.DefaultAuthor, "k"u8.ToArray(), "content"u8.ToArray(), Cancel);
        DocTicket ticket = hers.Share(allowWriting: false);
        Document his = bob.Docs.Import(ticket.Capability);
        his.DownloadPolicy = DownloadPolicy.Nothing;
        await his.SyncWithAsync(ticket.Nodes[0], Cancel);
        his.DownloadPolicy = DownloadPolicy.Everything;
        await using IAsyncEnumerator<DocumentEvent> events = his.Subscribe(Cancel).GetAsyncEnumerator(Cancel);
        his.StartSync(ticket.Nodes);
        await UntilAsync<DocumentEvent.ContentReady>(events);
        Assert.Equal("content", await bob.ReadTextAsync(BlobHash.Of("content"u8)));
    }

    [Fact(Timeout = Patience.Test)]
    public async Task An_empty_replica_takes_a_thousand_entries_in_one_message()
    {
        await using DocsPeer alice = await DocsPeer.StartAsync(), bob = await DocsPeer.StartAsync();
        Document hers = alice.Docs.Create();
        for (int i = 0; i < 1000; i++)
            hers.SetHash(alice.Docs.DefaultAuthor, [(byte)(i >> 8), (byte)i], BlobHash.Of([1]), 1);
        Document his = bob.Docs.Import(hers.Share(allowWriting: false).Capability);
        his.DownloadPolicy = DownloadPolicy.Nothing;
        SyncReport report = await his.SyncWithAsync(alice.Endpoint.Address, Cancel).WaitAsync(s_patience, Cancel);
        Assert.Equal(1000, report.Outcome.Stored);
        Assert.Equal(State(hers), State(his));
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_clock_that_is_set_back_makes_no_entry_fail_until_peers_would_refuse_it()
    {
        var time = new ManualTimeProvider();
        var late = new DocsOptions { TimeProvider = time };
        using var store = new MemoryDocumentStore();
        await using DocsPeer ahead = await DocsPeer.StartAsync(store), behind = await DocsPeer.StartAsync(store, late);
        Document document = ahead.Docs.Create();
        Document same = behind.Docs.Open(document.Id);
        AuthorId author = ahead.Docs.DefaultAuthor;

        SignedEntry first = same.SetHash(author, "k"u8, BlobHash.Of("1"u8), 1);
        SignedEntry second = same.SetHash(author, "k"u8, BlobHash.Of("2"u8), 1);
        Assert.True(second.Record.Timestamp > first.Record.Timestamp);
        Assert.Equal(1, same.Delete(author, "k"u8));
        Assert.Null(same.Get(author, "k"u8));
        document.SetHash(author, "k"u8, BlobHash.Of("3"u8), 1);
        var refusal = Assert.Throws<NewerEntryException>(() => same.Delete(author, ""u8));
        Assert.Contains("Set the clocks of this machine and of whoever wrote it", refusal.Message, StringComparison.Ordinal);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_peer_that_breaks_the_protocol_ends_its_own_sync_only()
    {
        await using DocsPeer alice = await DocsPeer.StartAsync(), eve = await DocsPeer.StartAsync();
        Document hers = alice.Docs.Create();
        hers.SetHash(alice.Docs.DefaultAuthor, "k"u8, BlobHash.Of("1"u8), 1);
        hers.StartSync();
        byte[] init = new SyncMessage.Init(hers.Id, new ReconciliationMessage([new FingerprintPart(new RecordRange(RecordKey.Zero, RecordKey.Zero), EntryFingerprint.Empty)])).Encode();
        byte[][] wrongs = [[], [0, 0, 0], [0xff, 0xff, 0xff, 0xff], Frame([9]), Frame(new SyncMessage.Abort(SyncAbortReason.NotFound).Encode()), Frame(init[..40]), [.. Frame(init), .. Frame(init)]];
        foreach (byte[] wrong in wrongs)
        {
            await using IrohConnection connection = await eve.Endpoint.ConnectAsync(alice.Endpoint.Address, DocsProtocol.ApplicationProtocol, Cancel);
            await using QuicStream stream = await connection.OpenBidirectionalStreamAsync(Cancel);
            await stream.WriteAsync(wrong, Cancel);
            stream.CompleteWrites();
            QuicCloseReason reason = await connection.Closed.WaitAsync(s_patience, Cancel);
            Assert.NotNull(reason);
        }

        Document copy = eve.Docs.Import(DocumentCapability.Read(hers.Id));
        Assert.True((await copy.SyncWithAsync(alice.Endpoint.Address, Cancel)).IsComplete);

        static byte[] Frame(byte[] content) => [0, 0, (byte)(content.Length >> 8), (byte)content.Length, .. content];
    }

    private static IEnumerable<(string, EntryRecord)> State(Document document) =>
        document.Query(new DocumentQuery { IncludeEmpty = true }).Select(entry => (entry.Key.ToString(), entry.Record)).ToList();

    private static async Task<T> UntilAsync<T>(IAsyncEnumerator<DocumentEvent> events)
        where T : DocumentEvent
    {
        while (await events.MoveNextAsync().AsTask().WaitAsync(s_patience, Cancel))
        {
            if (events.Current is T wanted)
                return wanted;
        }

        throw new InvalidOperationException("the events ended");
    }
}
