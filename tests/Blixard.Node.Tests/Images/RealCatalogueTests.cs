using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Blixard.Node.Tests.Support;
using Blixard.Rpc.Calls;
using Blixard.Testing.Basics;
using Blixard.V1;
using Iroh.Base.Serialization;
using Iroh.Blobs;
using Iroh.Docs;
using static Blixard.Node.Tests.Images.CatalogueCalls;
using EndpointAddress = Iroh.Base.EndpointAddress;

namespace Blixard.Node.Tests.Images;

/// <summary>The real iroh (0.35, the last package that has documents) reads a node's catalogue from its ticket.</summary>
public sealed class RealCatalogueTests : IAsyncLifetime
{
    private readonly TestCluster _cluster = new();
    private IrohPeer _peer = null!;
    private int _node;

    public async ValueTask InitializeAsync()
    {
        _peer = IrohPeer.StartWithBlobs();
        _node = (await CallAsync("start", new { docs = true }))["node"]!.GetValue<int>();
    }

    public async ValueTask DisposeAsync()
    {
        await _peer.DisposeAsync();
        await _cluster.DisposeAsync();
    }

    [Fact]
    public async Task A_real_iroh_user_reads_the_names_fetches_an_image_and_sees_what_comes_and_goes()
    {
        TestNode a = await _cluster.UpAsync("a");
        ImageRecord first = await AddAsync(a, _cluster.DirectoryOf("a"), "first", 100_000);
        DocTicket ticket = DocTicket.Parse((await ShareAsync(a)).Ticket);
        EndpointAddress ours = ticket.Nodes[0];
        var address = new { nodeId = ours.Id.ToString(), addresses = ours.DirectAddresses.Select(static known => known.ToString()).ToArray() };
        // 0.35 drops packets from addresses that it has not learned.
        await CallAsync("know", new { node = _node, address.nodeId, address.addresses });
        string document = (await CallAsync("docJoin", new { node = _node, ticket = OldTicket(ticket.Capability, ours) }))["document"]!.GetValue<string>();
        Assert.Equal(ticket.Capability.Id.ToString(), document);

        JsonObject entry = await ReadAsync("image/first:latest/");
        Assert.Equal(Convert.ToHexStringLower(first.Hash.Span), Text(entry["hash"]));
        Assert.Equal("a", Text((await ReadAsync($"holder/{Text(entry["hash"])}"))["node"]));
        await CallAsync("download", new { node = _node, hash = Text(entry["hash"]), format = "raw", address.nodeId, address.addresses });
        Assert.Equal(new BlobHash(first.Hash.Span), BlobHash.Of(await BytesAsync(Text(entry["hash"]))));
        await CallAsync("download", new { node = _node, hash = Text(entry["collection"]), format = "sequence", address.nodeId, address.addresses });
        JsonArray parts = (await CallAsync("readCollection", new { node = _node, hash = Text(entry["collection"]) }))["entries"]!.AsArray();
        Assert.Equal(["manifest.json", "kernel"], parts.Select(part => Text(part!["name"])));
        Assert.Equal(100_000, (await BytesAsync(Text(parts[1]!["hash"]))).Length);

        await AddAsync(a, _cluster.DirectoryOf("a"), "second", 100_001);
        Assert.Equal("second", Text((await ReadAsync("image/second:latest/"))["name"]));
        await a.CallAsync(ImageMethods.Remove, new RemoveImageRequest { Reference = "first" });
        await UntilAsync(async () => await KeysAsync(), keys => !keys.ContainsKey("image/first:latest/"));
        Assert.Contains("image/second:latest/", (await KeysAsync()).Keys);

        // The gossip of 0.35 is none that ours speaks, so it has to ask.
        async Task<Dictionary<string, string>> KeysAsync()
        {
            await CallAsync("docSync", new { document, address.nodeId, address.addresses });
            JsonArray entries = (await CallAsync("docList", new { document }))["entries"]!.AsArray();
            return entries.ToDictionary(one => Encoding.UTF8.GetString(Convert.FromHexString(Text(one!["key"]))), one => Text(one!["hash"]));
        }

        async Task<JsonObject> ReadAsync(string key)
        {
            Dictionary<string, string> keys = await UntilAsync(KeysAsync, seen => seen.ContainsKey(key));
            await UntilAsync(() => CallAsync("has", new { node = _node, hash = keys[key] }), static reply => reply["has"]!.GetValue<bool>());
            return JsonSerializer.Deserialize<JsonObject>(await BytesAsync(keys[key]))!;
        }
    }

    // The layout of 0.35: variant, capability, one node: id, no relay, its addresses.
    private static string OldTicket(DocumentCapability capability, EndpointAddress node)
    {
        var writer = new PostcardWriter();
        writer.WriteByte(0);
        capability.Write(writer);
        writer.WriteVarint(1);
        writer.WriteFixed(node.Id.Span);
        writer.WriteByte(0);
        IPEndPoint[] addresses = [.. node.DirectAddresses];
        writer.WriteVarint((ulong)addresses.Length);
        foreach (IPEndPoint address in addresses)
        {
            writer.WriteVarint(address.Address.GetAddressBytes().Length == 4 ? 0ul : 1);
            writer.WriteFixed(address.Address.GetAddressBytes());
            writer.WriteVarint((ulong)address.Port);
        }

        return "doc" + Base32.Encode(writer.Written);
    }

    private static string Text(JsonNode? node) => node!.GetValue<string>();

    private async Task<byte[]> BytesAsync(string hash) => Convert.FromHexString(Text((await CallAsync("readBytes", new { node = _node, hash }))["data"]));

    private Task<JsonNode> CallAsync(string op, object arguments) => _peer.CallAsync(op, arguments, TestContext.Current.CancellationToken);
}
