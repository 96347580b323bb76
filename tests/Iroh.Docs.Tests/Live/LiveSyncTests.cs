using Blixard.Testing.Basics;
using Iroh.Base;

namespace Iroh.Docs.Live;

public class LiveSyncTests
{
    [Fact(Timeout = Patience.Test)]
    public async Task Whoever_joins_by_ticket_gets_what_there_is_and_then_what_is_written()
    {
        await using LiveNode first = await LiveNode.StartAsync();
        await first.WriteAsync("old", "written before");
        await using LiveNode second = await LiveNode.StartAsync(first.Share());
        await second.UntilReadAsync("old", "written before");
        await first.WriteAsync("new", "written after");
        await second.UntilReadAsync("new", "written after");
        await second.WriteAsync("back", "written by the other");
        await first.UntilReadAsync("back", "written by the other");
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Six_replicas_have_what_each_wrote_with_its_content_also_when_the_first_is_gone()
    {
        LiveNode first = await LiveNode.StartAsync();
        List<LiveNode> others = [];
        try
        {
            DocTicket ticket = first.Share();
            for (int i = 0; i < 5; i++)
                others.Add(await LiveNode.StartAsync(ticket));
            await first.WriteAsync("first", "from the first");
            foreach (LiveNode node in others)
                await node.WriteAsync(node.Id.ToString(), $"from {node.Id}");
            foreach (LiveNode node in others)
            {
                await node.UntilReadAsync("first", "from the first");
                foreach (LiveNode author in others)
                    await node.UntilReadAsync(author.Id.ToString(), $"from {author.Id}");
            }

            await first.DisposeAsync();
            foreach (LiveNode node in others)
                await node.WriteAsync($"late {node.Id}", $"after, from {node.Id}");
            foreach (LiveNode node in others)
            {
                foreach (LiveNode author in others)
                    await node.UntilReadAsync($"late {author.Id}", $"after, from {author.Id}");
            }
        }
        finally
        {
            await Task.WhenAll(others.Append(first).Select(node => node.DisposeAsync().AsTask()));
        }
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_key_that_gossip_cannot_carry_comes_by_sync()
    {
        await using LiveNode first = await LiveNode.StartAsync();
        await using LiveNode second = await LiveNode.StartAsync(first.Share());
        await first.WriteAsync("small", "small");
        await second.UntilReadAsync("small", "small");
        string key = new('k', 3950);
        await first.WriteAsync(key, "large");
        await second.UntilReadAsync(key, "large");
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Whoever_left_while_others_wrote_catches_up_when_it_comes_back()
    {
        await using LiveNode first = await LiveNode.StartAsync();
        await using LiveNode second = await LiveNode.StartAsync(first.Share());
        await first.WriteAsync("one", "1");
        await second.UntilReadAsync("one", "1");
        await second.Document.LeaveAsync();
        for (int i = 0; i < 20; i++)
            await first.WriteAsync($"meanwhile {i}", "some");
        await second.WriteAsync("alone", "written apart");
        Assert.Null(second.Find("meanwhile 0"));
        second.Document.StartSync(first.Endpoint.Address);
        for (int i = 0; i < 20; i++)
            await second.UntilReadAsync($"meanwhile {i}", "some");
        await first.UntilReadAsync("alone", "written apart");
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Whoever_has_no_neighbor_left_turns_to_those_it_synced_with()
    {
        await using LiveNode first = await LiveNode.StartAsync();
        LiveNode only = await LiveNode.StartAsync(first.Share());
        await first.UntilAsync(() => first.Neighbors.Contains(only.Id), () => "neighbor");
        // It answers syncs, and is in the topic, but knows nobody there.
        await using LiveNode other = await LiveNode.StartAsync(new LiveNodeOptions(), new DocTicket(first.Share().Capability, EndpointAddress.FromEndpointId(SecretKey.Generate().PublicKey)));
        Assert.Empty(other.Neighbors);
        await first.Document.SyncWithAsync(other.Endpoint.Address);
        await only.DisposeAsync();
        await first.UntilAsync(() => first.Neighbors.Contains(other.Id), () => $"neighbor but {string.Join(' ', first.Neighbors)}");
        await first.WriteAsync("late", "written then");
        await other.UntilReadAsync("late", "written then");
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Whoever_may_no_longer_sync_hears_of_no_further_entry()
    {
        await using LiveNode first = await LiveNode.StartAsync();
        await using LiveNode member = await LiveNode.StartAsync(first.Share());
        await using LiveNode revoked = await LiveNode.StartAsync(first.Share());
        await first.WriteAsync("for all", "1");
        await member.UntilReadAsync("for all", "1");
        await revoked.UntilReadAsync("for all", "1");
        first.Forbidden.Add(revoked.Id);
        member.Forbidden.Add(revoked.Id);
        await first.WriteAsync("for members", "2");
        await member.UntilReadAsync("for members", "2");
        await first.WriteAsync("last", "3");
        await member.UntilReadAsync("last", "3");
        Assert.Null(revoked.Find("for members"));
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Content_that_the_policy_does_not_want_is_not_fetched()
    {
        await using LiveNode first = await LiveNode.StartAsync();
        await using LiveNode second = await LiveNode.StartAsync(first.Share());
        second.Document.DownloadPolicy = DownloadPolicy.NothingExcept(KeyFilter.Prefix("wanted"u8));
        await first.WriteAsync("unwanted", "left where it is");
        await first.WriteAsync("wanted", "fetched");
        await second.UntilReadAsync("wanted", "fetched");
        await second.UntilAsync(() => second.Find("unwanted") is not null, () => "entry without content");
        Assert.NotEqual(Blobs.Store.BlobPresence.Complete, second.Blobs.GetStatus(second.Find("unwanted")!.ContentHash).Presence);
    }
}
