using Blixard.Cluster.Images;
using Blixard.Cluster.Membership;
using Iroh.Base;
using Iroh.Blobs;
using Iroh.Blobs.Provider;
using Iroh.Docs;
using Iroh.Docs.Store;

namespace Blixard.Node.Images;

/// <summary>What is known of catalogues at the moment, and who may have what of it. Thread-safe.</summary>
/// <param name="members">Who may read all documents.</param>
/// <param name="time">The clock by which sharing ends.</param>
internal sealed class CatalogueAccess(MemberDirectory members, TimeProvider time)
{
    private SharedContent _content = SharedContent.Empty;
    private CatalogueSession? _session;
    private CatalogueState? _state;

    /// <summary>What outsiders get while the catalogue is shared.</summary>
    public SharedContent Content
    {
        get => Volatile.Read(ref _content);
        set => Volatile.Write(ref _content, value);
    }

    /// <summary>The documents on the endpoint; null while there is none.</summary>
    public CatalogueSession? Session
    {
        get => Volatile.Read(ref _session);
        set => Volatile.Write(ref _session, value);
    }

    /// <summary>What the cluster store says of catalogues; null before it was heard.</summary>
    public CatalogueState? State
    {
        get => Volatile.Read(ref _state);
        set => Volatile.Write(ref _state, value);
    }

    /// <summary>Whether the own catalogue is shared now.</summary>
    public bool IsShared => State?.Own?.SharedUntil is { } until && until.ToDateTimeOffset() > time.GetUtcNow();

    /// <summary>Takes the session away; whoever gets it ends it.</summary>
    public CatalogueSession? TakeSession() => Interlocked.Exchange(ref _session, null);

    /// <summary>Whether an endpoint may sync a document.</summary>
    public bool MayRead(EndpointId peer, NamespaceId document)
    {
        if (members.TryGet(peer, out _))
            return true;
        if (Session is not { } session)
            return false;
        return session.Own?.Document.Id == document
            ? IsShared
            : session.Foreign.Values.Any(open => open.Document.Id == document && open.IsPeer(peer));
    }

    /// <summary>Whether an endpoint that is no member may have what it asks for.</summary>
    public bool Admits(BlobRequestInfo request) =>
        IsShared && Session?.Own is { } own && Content.Allows(request, hash => IsEntry(own.Document, hash));

    private static bool IsEntry(Document document, BlobHash hash)
    {
        try
        {
            return document.Query(DocumentQuery.All).Any(entry => entry.ContentHash == hash);
        }
        catch (Exception e) when (e is DocumentMissingException or DocumentStoreException)
        {
            return false;
        }
    }
}
