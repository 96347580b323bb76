using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Blixard.Testing.Basics;
using Iroh.Base;
using Iroh.Base.Serialization;
using Iroh.Blobs;
using Iroh.Docs.Sync;

namespace Iroh.Docs.Interop;

/// <summary>The real iroh-docs 0.35 syncs with ours, whoever dials, over endpoints on loopback.</summary>
public sealed class RealDocsTests : IAsyncLifetime
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private IrohPeer _peer = null!;
    private DocsPeer _ours = null!;
    private EndpointAddress _theirAddress = null!;
    private string _theirAuthor = "";
    private int _node;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private string[] OurAddresses => [.. _ours.Endpoint.BoundSockets.Select(static socket => socket.ToString())];

    public async ValueTask InitializeAsync()
    {
        _ours = await DocsPeer.StartAsync();
        _peer = IrohPeer.StartWithBlobs();
        JsonNode started = await CallAsync("start", new { docs = true });
        _node = started["node"]!.GetValue<int>();
        _theirAddress = new EndpointAddress(
            EndpointId.Parse(started["nodeId"]!.GetValue<string>()),
            started["addresses"]!.AsArray().Select(static address => TransportAddress.Ip(IPEndPoint.Parse(address!.GetValue<string>()))));
        // 0.35 drops packets from addresses that it has not learned.
        await CallAsync("know", new { node = _node, nodeId = _ours.Endpoint.Id.ToString(), addresses = OurAddresses });
        _theirAuthor = (await CallAsync("docAuthor", new { node = _node }))["author"]!.GetValue<string>();
    }

    public async ValueTask DisposeAsync()
    {
        await _peer.DisposeAsync();
        await _ours.DisposeAsync();
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Ours_dials_theirs_and_both_have_all_entries_deletions_and_contents()
    {
        Document document = _ours.Docs.Create();
        await SetAsync(document, "ours/1", "ours one");
        await SetAsync(document, "ours/2", "ours two");
        string theirs = await JoinAsync(document);
        // Joining makes theirs dial ours, which is not syncing yet and so says that it has nothing.
        await CallAsync("docSet", new { document = theirs, author = _theirAuthor, key = Hex("theirs/1"), data = Hex("theirs one") });
        await CallAsync("docSet", new { document = theirs, author = _theirAuthor, key = Hex("gone/1"), data = Hex("gone") });

        await using IAsyncEnumerator<DocumentEvent> events = document.Subscribe(Cancel).GetAsyncEnumerator(Cancel);
        SyncReport report = await SyncAsync(document);
        Assert.True(report.IsComplete);
        await AssertSameAsync(document, theirs);
        await UntilContentAsync(events, "theirs one");
        Assert.Equal("theirs one", await _ours.ReadTextAsync(BlobHash.Of("theirs one"u8)));
        await UntilTheirsHasAsync("ours two");

        await CallAsync("docDelete", new { document = theirs, author = _theirAuthor, prefix = Hex("gone/") });
        document.Delete(_ours.Docs.DefaultAuthor, "ours/1"u8);
        await SyncAsync(document);
        Assert.Equal(["ours/2", "theirs/1"], Keys(document));
        // iroh takes older entries under a deletion back when they are offered in the same exchange; ours stay deleted.
        await AssertSameAsync(document, theirs, except: Hex("gone/1"));
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Theirs_dials_ours_and_both_have_all_entries_and_contents()
    {
        JsonNode created = await CallAsync("docCreate", new { node = _node });
        string theirs = created["document"]!.GetValue<string>();
        for (int i = 0; i < 40; i++)
            await CallAsync("docSet", new { document = theirs, author = _theirAuthor, key = Hex($"theirs/{i:00}"), data = Hex($"content {i}") });
        // The old layout is not for us to read, but what may be done stands before the nodes in both.
        string ticket = (await CallAsync("docTicket", new { document = theirs, mode = "Write" }))["ticket"]!.GetValue<string>();
        Assert.False(DocTicket.TryParse(ticket, out _, out string? problem));
        Assert.Contains("0.93 or older", problem, StringComparison.Ordinal);
        Document document = _ours.Docs.Import(CapabilityOf(ticket));
        Assert.Equal(theirs, document.Id.ToString());
        for (int i = 0; i < 40; i++)
            await SetAsync(document, $"ours/{i:00}", $"our content {i}");

        document.StartSync();
        await using IAsyncEnumerator<DocumentEvent> events = document.Subscribe(Cancel).GetAsyncEnumerator(Cancel);
        await CallAsync("docSync", new { document = theirs, nodeId = _ours.Endpoint.Id.ToString(), addresses = OurAddresses });
        while (await NextAsync(events) is not DocumentEvent.SyncFinished { Report: { IsDialled: false, IsComplete: true } })
        {
        }

        await AssertSameAsync(document, theirs);
        Assert.Equal(80, document.EntryCount);
        await UntilTheirsHasAsync("our content 39");
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_real_peer_is_refused_what_it_may_not_have()
    {
        Document secret = _ours.Docs.Create(), open = _ours.Docs.Create();
        await SetAsync(secret, "secret", "secret");
        await SetAsync(open, "open", "open");
        open.StartSync();
        // Joining makes theirs dial ours.
        string refused = await JoinAsync(secret), allowed = await JoinAsync(open);
        await UntilTheirsHasAsync("open");
        await CallAsync("docSync", new { document = refused, nodeId = _ours.Endpoint.Id.ToString(), addresses = OurAddresses });
        await SyncAsync(open);
        Assert.Single((await CallAsync("docList", new { document = allowed }))["entries"]!.AsArray());
        Assert.Empty((await CallAsync("docList", new { document = refused }))["entries"]!.AsArray());
    }

    private static string Hex(string text) => Convert.ToHexStringLower(Encoding.UTF8.GetBytes(text));

    private static IEnumerable<string> Keys(Document document) =>
        document.Query(new DocumentQuery { Order = QueryOrder.KeyThenAuthor }).Select(entry => Encoding.UTF8.GetString(entry.Key.Key.Span));

    private static DocumentCapability CapabilityOf(string ticket)
    {
        Assert.True(Base32.TryDecode(ticket.AsSpan(3), out byte[] bytes));
        var reader = new PostcardReader(bytes.AsSpan(1));
        Assert.True(DocumentCapability.TryRead(ref reader, out DocumentCapability? capability));
        return capability;
    }

    private static async Task<DocumentEvent> NextAsync(IAsyncEnumerator<DocumentEvent> events)
    {
        Assert.True(await events.MoveNextAsync().AsTask().WaitAsync(s_patience, Cancel));
        return events.Current;
    }

    private static async Task UntilContentAsync(IAsyncEnumerator<DocumentEvent> events, string content)
    {
        while (await NextAsync(events) is not DocumentEvent.ContentReady { Content: var ready } || ready != BlobHash.Of(Encoding.UTF8.GetBytes(content)))
        {
        }
    }

    private async Task<string> JoinAsync(Document document)
    {
        // The layout of 0.35: variant, capability, one node: id, no relay, its addresses.
        var writer = new PostcardWriter();
        writer.WriteByte(0);
        _ours.Store.TryGetCapability(document.Id)!.Write(writer);
        writer.WriteVarint(1);
        writer.WriteFixed(_ours.Endpoint.Id.Span);
        writer.WriteByte(0);
        writer.WriteVarint(1);
        writer.WriteVarint(0);
        IPEndPoint address = _ours.Endpoint.BoundSockets[0];
        writer.WriteFixed(address.Address.GetAddressBytes());
        writer.WriteVarint((ulong)address.Port);
        JsonNode joined = await CallAsync("docJoin", new { node = _node, ticket = "doc" + Base32.Encode(writer.Written) });
        Assert.Equal(document.Id.ToString(), joined["document"]!.GetValue<string>());
        return document.Id.ToString();
    }

    private Task<SyncReport> SyncAsync(Document document) => document.SyncWithAsync(_theirAddress, Cancel).WaitAsync(s_patience, Cancel);

    private Task<SignedEntry> SetAsync(Document document, string key, string content) =>
        document.SetBytesAsync(_ours.Docs.DefaultAuthor, Encoding.UTF8.GetBytes(key), Encoding.UTF8.GetBytes(content), Cancel);

    private async Task UntilTheirsHasAsync(string content)
    {
        // It has no event for us to wait for.
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        patience.CancelAfter(s_patience);
        while (!(await CallAsync("has", new { node = _node, hash = BlobHash.Of(Encoding.UTF8.GetBytes(content)).ToString() }))["has"]!.GetValue<bool>())
            await Task.Delay(50, patience.Token);
    }

    private async Task AssertSameAsync(Document document, string theirs, string? except = null)
    {
        JsonArray entries = (await CallAsync("docList", new { document = theirs }))["entries"]!.AsArray();
        Assert.Equal(
            document.Query(DocumentQuery.All).Select(entry => $"{entry.Key.Author} {Convert.ToHexStringLower(entry.Key.Key.Span)} {entry.ContentLength} {entry.ContentHash}").Order(),
            entries.Where(entry => entry!["key"]!.GetValue<string>() != except).Select(entry => $"{entry!["author"]} {entry["key"]} {entry["length"]} {entry["hash"]}").Order());
    }

    private Task<JsonNode> CallAsync(string op, object arguments) => _peer.CallAsync(op, arguments, Cancel);
}
