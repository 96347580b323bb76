using Iroh.Base;
using Iroh.Blobs;
using Iroh.Docs.Sync;

namespace Iroh.Docs;

/// <summary>Something happened to a document. Immutable.</summary>
public abstract record DocumentEvent
{
    private DocumentEvent()
    {
    }

    /// <summary>An entry was made here.</summary>
    /// <param name="Entry">The entry.</param>
    public sealed record InsertLocal(SignedEntry Entry) : DocumentEvent;

    /// <summary>An entry came from a peer.</summary>
    /// <param name="From">Who sent it; not always who made it.</param>
    /// <param name="Entry">The entry.</param>
    /// <param name="ContentStatus">How much of its content is here.</param>
    public sealed record InsertRemote(EndpointId From, SignedEntry Entry, ContentStatus ContentStatus) : DocumentEvent;

    /// <summary>The content of an entry is all here now.</summary>
    /// <param name="Content">Which.</param>
    public sealed record ContentReady(BlobHash Content) : DocumentEvent;

    /// <summary>Since the last sync no wanted content is on its way any more.</summary>
    public sealed record PendingContentReady : DocumentEvent;

    /// <summary>A peer joined us in the document's live updates.</summary>
    /// <param name="Peer">Who.</param>
    public sealed record NeighborUp(EndpointId Peer) : DocumentEvent;

    /// <summary>A peer left us in the document's live updates.</summary>
    /// <param name="Peer">Who.</param>
    public sealed record NeighborDown(EndpointId Peer) : DocumentEvent;

    /// <summary>A sync came to its end.</summary>
    /// <param name="Report">How.</param>
    public sealed record SyncFinished(SyncReport Report) : DocumentEvent;

    /// <summary>This subscriber read too slowly and missed events: what it knows has to be read again.</summary>
    /// <param name="Count">How many.</param>
    public sealed record Lagged(long Count) : DocumentEvent;
}
