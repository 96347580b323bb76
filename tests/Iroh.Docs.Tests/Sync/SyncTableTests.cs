using Iroh.Base;
using Iroh.Cryptography;

namespace Iroh.Docs.Sync;

public sealed class SyncTableTests
{
    private static readonly EndpointId[] s_ids = [.. Enumerable.Range(0, 2).Select(i => SecretKey.Generate(new SeededRandomSource((ulong)i)).PublicKey).Order()];
    private static readonly NamespaceId s_document = NamespaceSecret.Generate(new SeededRandomSource(9)).Id;
    private static readonly NamespaceId s_other = NamespaceSecret.Generate(new SeededRandomSource(8)).Id;

    [Fact]
    public void A_document_is_synced_with_a_peer_once_at_a_time()
    {
        var table = new SyncTable(s_ids[0]);
        Assert.True(table.TryBeginDial(s_document, s_ids[1]));
        Assert.False(table.TryBeginDial(s_document, s_ids[1]));
        Assert.True(table.TryBeginDial(s_other, s_ids[1]));
        table.EndDial(s_document, s_ids[1]);
        Assert.True(table.TryBeginAccept(s_document, s_ids[1]));
        Assert.False(table.TryBeginAccept(s_document, s_ids[1]));
        Assert.False(table.TryBeginDial(s_document, s_ids[1]));
        table.EndAccept(s_document, s_ids[1]);
        table.EndDial(s_other, s_ids[1]);
        Assert.Equal(0, table.Count);
    }

    [Fact]
    public void Of_two_that_dial_at_once_the_larger_id_answers()
    {
        SyncTable small = new(s_ids[0]), large = new(s_ids[1]);
        Assert.True(small.TryBeginDial(s_document, s_ids[1]));
        Assert.True(large.TryBeginDial(s_document, s_ids[0]));
        Assert.True(large.TryBeginAccept(s_document, s_ids[0]));
        Assert.False(small.TryBeginAccept(s_document, s_ids[1]));
        // Its own dial is refused while it answers: that ends the dial and not the answer.
        large.EndDial(s_document, s_ids[0]);
        Assert.False(large.TryBeginDial(s_document, s_ids[0]));
        large.EndAccept(s_document, s_ids[0]);
        small.EndDial(s_document, s_ids[1]);
        Assert.Equal(0, small.Count + large.Count);
    }
}
