using Blixard.Images.Catalogue;
using Iroh.Base;
using Iroh.Blobs.Store;
using Iroh.Docs;
using Iroh.Docs.Store;
using Iroh.Docs.Sync;

namespace Blixard.Node.Images;

/// <summary>A catalogue that is open on an endpoint: its document, what it says, and who is asked for it. Thread-safe.</summary>
internal sealed class OpenCatalogue : IAsyncDisposable
{
    // Gossip brings changes at once; this makes up for what it missed, and notices that one is let in again, or no more.
    private static readonly TimeSpan SyncInterval = TimeSpan.FromSeconds(10);

    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stopping = new();
    private Task _syncing = Task.CompletedTask;
    private HashSet<EndpointId> _peers = [];
    private string _reason = "";

    private OpenCatalogue(Document document, CatalogueDocument catalogue, IReadOnlyList<EndpointAddress> nodes, TimeProvider time) =>
        (Document, Catalogue, Nodes, _time) = (document, catalogue, nodes, time);

    /// <summary>The document.</summary>
    public Document Document { get; }

    /// <summary>What it says.</summary>
    public CatalogueDocument Catalogue { get; }

    /// <summary>The nodes of the ticket that it was opened with; none for the cluster's own.</summary>
    public IReadOnlyList<EndpointAddress> Nodes { get; }

    /// <summary>Why the last sync failed with all nodes; "" if it did not.</summary>
    public string Reason => Volatile.Read(ref _reason);

    /// <summary>Opens a document, and asks the nodes for it now and then.</summary>
    public static async Task<OpenCatalogue> OpenAsync(
        Document document, IBlobStore blobs, AuthorId author, IReadOnlyList<EndpointAddress> nodes, TimeProvider time, CancellationToken cancellationToken)
    {
        CatalogueDocument catalogue = await CatalogueDocument.OpenAsync(document, blobs, author, time, cancellationToken).ConfigureAwait(false);
        var open = new OpenCatalogue(document, catalogue, nodes, time);
        open.NotePeers();
        catalogue.Changed += open.NotePeers;
        if (nodes.Count > 0)
            open._syncing = Task.Run(open.SyncAsync, CancellationToken.None);
        return open;
    }

    /// <summary>Whether an endpoint is a node of the ticket, or one that the catalogue names as a holder.</summary>
    public bool IsPeer(EndpointId id) => Volatile.Read(ref _peers).Contains(id);

    public async ValueTask DisposeAsync()
    {
        Catalogue.Changed -= NotePeers;
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _syncing.ConfigureAwait(false);
        await Catalogue.DisposeAsync().ConfigureAwait(false);
        _stopping.Dispose();
    }

    private void NotePeers()
    {
        CatalogueSnapshot current = Catalogue.Current;
        Volatile.Write(
            ref _peers,
            [.. Nodes.Select(node => node.Id), .. current.Images.SelectMany(image => current.HoldersOf(image.Hash)).Select(holder => holder.Endpoint)]);
    }

    private async Task SyncAsync()
    {
        try
        {
            while (true)
            {
                Volatile.Write(ref _reason, await SyncOnceAsync().ConfigureAwait(false));
                await Task.Delay(SyncInterval, _time, _stopping.Token).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException or DocumentMissingException)
        {
            // Closed, or the endpoint is.
        }
    }

    // One node is enough: they sync among themselves.
    private async Task<string> SyncOnceAsync()
    {
        string reason = "";
        foreach (EndpointAddress node in Nodes)
        {
            try
            {
                await Document.SyncWithAsync(node, _stopping.Token).ConfigureAwait(false);
                return "";
            }
            catch (Exception e) when (e is SyncException or DocumentStoreException)
            {
                reason = e.Message;
            }
        }

        return reason;
    }
}
