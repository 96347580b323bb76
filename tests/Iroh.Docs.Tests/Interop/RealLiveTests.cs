using System.Net;
using System.Text.Json.Nodes;
using Blixard.Testing.Basics;
using Iroh.Base.Serialization;
using Iroh.Blobs;
using Iroh.Cryptography;
using Iroh.Docs.Live;
using Iroh.Gossip;
using Iroh.Protocols;

namespace Iroh.Docs.Interop;

/// <summary>Live updates between the real iroh-docs and iroh-gossip 0.35 and ours.</summary>
public class RealLiveTests
{
    [Fact(Timeout = Patience.Test)]
    public async Task An_entry_that_theirs_makes_reaches_ours_and_the_other_way_round()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        await using IrohPeer peer = IrohPeer.StartWithBlobs();
        JsonNode started = await peer.CallAsync("start", new { docs = true }, patience.Token);
        int node = started["node"]!.GetValue<int>();
        string author = (await peer.CallAsync("docAuthor", new { node }, patience.Token))["author"]!.GetValue<string>();
        string document = (await peer.CallAsync("docCreate", new { node }, patience.Token))["document"]!.GetValue<string>();
        string ticket = (await peer.CallAsync("docTicket", new { document, mode = "Write" }, patience.Token))["ticket"]!.GetValue<string>();

        await using IrohEndpoint endpoint = await IrohEndpoint.BindAsync(
            new IrohEndpointOptions { BindAddresses = [new IPEndPoint(IPAddress.Loopback, 0)], UseRelays = false, MapPorts = false }, patience.Token);
        var gossip = new OldGossip(endpoint.Id, TopicId.FromBytes(NamespaceId.Parse(document).Span));
        await using var router = new ProtocolRouter(endpoint, new Dictionary<string, IProtocolHandler> { [OldGossip.ApplicationProtocol] = gossip });
        string[] addresses = [.. endpoint.BoundSockets.Select(socket => socket.ToString())];
        await peer.CallAsync("docSync", new { document, nodeId = endpoint.Id.ToString(), addresses }, patience.Token);
        await gossip.UntilAsync<NeighborUp>(patience.Token);

        // Theirs tells nobody of what it writes before it has heard, in its turn, that we are its neighbor.
        Task<MessageReceived> hearing = gossip.UntilAsync<MessageReceived>(patience.Token);
        var written = new List<BlobHash>();
        while (!hearing.IsCompleted)
        {
            byte[] data = [2, (byte)written.Count];
            written.Add(BlobHash.Of(data));
            await peer.CallAsync("docSet", new { document, author, key = "01", data = Convert.ToHexStringLower(data) }, patience.Token);
            await Task.WhenAny(hearing, Task.Delay(500, patience.Token));
        }

        MessageReceived received = await hearing;
        Assert.True(LiveOp.TryRead(received.Content.Span, out LiveOp? op));
        SignedEntry theirs = Assert.IsType<LiveOp.Put>(op).Entry;
        Assert.True(theirs.Verify());
        Assert.Equal(author, theirs.Key.Author.ToString());
        Assert.Contains(theirs.ContentHash, written);

        var ours = Author.Generate(OperatingSystemRandomSource.Instance);
        var record = new EntryRecord(3, BlobHash.Of("abc"u8), EntryTimestamp.From(DateTimeOffset.UtcNow));
        gossip.Broadcast(new LiveOp.Put(SignedEntry.Sign(SecretOf(ticket), ours, "ours"u8, record)).Encode(4000)!);
        while (true)
        {
            JsonArray entries = (await peer.CallAsync("docList", new { document }, patience.Token))["entries"]!.AsArray();
            if (entries.Any(entry => entry!["author"]!.GetValue<string>() == ours.Id.ToString() && entry["key"]!.GetValue<string>() == "6f757273"))
                break;
            await Task.Delay(50, patience.Token);
        }
    }

    private static NamespaceSecret SecretOf(string ticket)
    {
        Assert.True(Base32.TryDecode(ticket.AsSpan(3), out byte[] bytes));
        var reader = new PostcardReader(bytes.AsSpan(1));
        Assert.True(DocumentCapability.TryRead(ref reader, out DocumentCapability? capability));
        return capability.Secret!;
    }
}
