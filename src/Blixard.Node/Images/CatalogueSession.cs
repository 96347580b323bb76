using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Text;
using Blixard.Cluster.Images;
using Blixard.V1;
using Iroh;
using Iroh.Base;
using Iroh.Blobs.Store;
using Iroh.Blobs.Transfer;
using Iroh.Cryptography;
using Iroh.Docs;
using Iroh.Docs.Store;
using Iroh.Gossip;
using Iroh.Protocols;
using EndpointAddress = Iroh.Base.EndpointAddress;

namespace Blixard.Node.Images;

/// <summary>
/// Catalogues on one endpoint, as long as that is bound: the protocols, this cluster's own catalogue and those of others. What is open may be
/// read from any thread; <see cref="FollowAsync"/> and <see cref="DisposeAsync"/> are called by one at a time.
/// </summary>
internal sealed class CatalogueSession : IAsyncDisposable
{
    // Both are derived from the document's secret, so that every member can say the same in the same name, and a node that lost its disk can take
    // back what it said before.
    private const string NamesContext = "blixard 2026 catalogue author of names";
    private const string HolderContext = "blixard 2026 catalogue author of a node";

    private readonly IrohEndpoint _endpoint;
    private readonly IDocumentStore _store;
    private readonly IBlobStore _blobs;
    private readonly string _node;
    private readonly Action _ownChanged;
    private readonly TimeProvider _time;
    private readonly BlobDownloader _downloader;
    private readonly GossipProtocol _gossip;
    private readonly DocsProtocol _docs;
    private readonly ConcurrentDictionary<EndpointId, byte> _told = [];
    private NamespaceSecret? _secret;
    private OpenCatalogue? _own;
    private ImmutableSortedDictionary<string, OpenCatalogue> _foreign = ImmutableSortedDictionary.Create<string, OpenCatalogue>(StringComparer.Ordinal);

    /// <param name="endpoint">Dials; stays the caller's, as all that follows.</param>
    /// <param name="store">The documents.</param>
    /// <param name="blobs">The contents of their entries.</param>
    /// <param name="sources">Dials whoever has content.</param>
    /// <param name="node">This node's name.</param>
    /// <param name="authorize">Who may sync which document.</param>
    /// <param name="ownChanged">Called, on any thread, when the own catalogue says something else, by whomever.</param>
    /// <param name="time">The clock.</param>
    public CatalogueSession(
        IrohEndpoint endpoint, IDocumentStore store, IBlobStore blobs, IrohBlobSources sources, string node,
        Func<EndpointId, NamespaceId, bool> authorize, Action ownChanged, TimeProvider time)
    {
        (_endpoint, _store, _blobs, Sources, _node, _ownChanged, _time) = (endpoint, store, blobs, sources, node, ownChanged, time);
        _downloader = new BlobDownloader(blobs, new BlobTransferOptions { TimeProvider = time });
        _gossip = new GossipProtocol(endpoint, new GossipOptions { TimeProvider = time });
        _docs = new DocsProtocol(
            endpoint, store, blobs, new CatalogueFetcher(_downloader, sources), new DocsOptions { Authorize = authorize, TimeProvider = time }, _gossip);
    }

    /// <summary>Who serves which protocol.</summary>
    public IReadOnlyDictionary<string, IProtocolHandler> Handlers => new Dictionary<string, IProtocolHandler>
    {
        [GossipProtocol.ApplicationProtocol] = _gossip,
        [DocsProtocol.ApplicationProtocol] = _docs,
    };

    /// <summary>Dials whoever has content.</summary>
    public IrohBlobSources Sources { get; }

    /// <summary>This endpoint, now.</summary>
    public EndpointAddress Address => _endpoint.Address;

    /// <summary>The cluster's own catalogue; null while it was never shared.</summary>
    public OpenCatalogue? Own => Volatile.Read(ref _own);

    /// <summary>Who says the names of the own catalogue.</summary>
    public AuthorId Names { get; private set; }

    /// <summary>The catalogues of others, by name.</summary>
    public ImmutableSortedDictionary<string, OpenCatalogue> Foreign => Volatile.Read(ref _foreign);

    /// <summary>Opens what the records name, closes and forgets what they name no more.</summary>
    public async Task FollowAsync(CatalogueState state, IReadOnlyList<EndpointAddress> members, CancellationToken cancellationToken)
    {
        NamespaceSecret? secret = TryReadSecret(state.Own);
        var wanted = new HashSet<NamespaceId>();
        if (secret is not null)
            wanted.Add(secret.Id);
        if (Own is { } own && own.Document.Id != secret?.Id)
        {
            Volatile.Write(ref _own, null);
            await own.DisposeAsync().ConfigureAwait(false);
        }

        Dictionary<string, DocTicket> tickets = TicketsOf(state);
        wanted.UnionWith(tickets.Values.Select(ticket => ticket.Capability.Id));
        foreach ((string name, OpenCatalogue open) in Foreign)
        {
            if (tickets.TryGetValue(name, out DocTicket? ticket) && ticket.Capability.Id == open.Document.Id && ticket.Nodes.SequenceEqual(open.Nodes))
                continue;
            Volatile.Write(ref _foreign, Foreign.Remove(name));
            await open.DisposeAsync().ConfigureAwait(false);
        }

        foreach (DocumentCapability unwanted in _docs.ListDocuments().Where(document => !wanted.Contains(document.Id)))
            await _docs.DropAsync(unwanted.Id).ConfigureAwait(false);
        if (secret is not null)
            await OpenOwnAsync(secret, members, cancellationToken).ConfigureAwait(false);
        foreach ((string name, DocTicket ticket) in tickets.Where(pair => !Foreign.ContainsKey(pair.Key)))
        {
            Document document = ImportForReading(ticket.Capability);
            OpenCatalogue open = await OpenCatalogue.OpenAsync(document, _blobs, _docs.DefaultAuthor, ticket.Nodes, _time, cancellationToken).ConfigureAwait(false);
            Volatile.Write(ref _foreign, Foreign.SetItem(name, open));
            document.StartSync(ticket.Nodes);
        }
    }

    /// <summary>A member has gone: if it comes again, it is told of the own catalogue again. May be called at any time.</summary>
    public void ForgetMember(EndpointId id) => _told.TryRemove(id, out _);

    /// <summary>Takes back what nodes that are members no more said they hold: their authors follow from the document's secret.</summary>
    /// <param name="isMember">Whether a node is a member, by name.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    public async Task ForgetHoldersAsync(Func<string, bool> isMember, CancellationToken cancellationToken)
    {
        if (Own is not { } own || _secret is not { } secret)
            return;
        Author[] gone = [.. own.Catalogue.Current.HolderNodes.Where(node => !isMember(node)).Select(node => AuthorOf(secret, HolderContext, node))];
        foreach (Author author in gone)
            _store.ImportAuthor(author);
        await own.Catalogue.ForgetHoldersAsync([.. gone.Select(author => author.Id)], cancellationToken).ConfigureAwait(false);
        foreach (Author author in gone)
            _store.DeleteAuthor(author.Id);
    }

    public async ValueTask DisposeAsync()
    {
        if (Own is { } own)
            await own.DisposeAsync().ConfigureAwait(false);
        foreach (OpenCatalogue open in Foreign.Values)
            await open.DisposeAsync().ConfigureAwait(false);
        await _docs.DisposeAsync().ConfigureAwait(false);
        await _gossip.DisposeAsync().ConfigureAwait(false);
        _downloader.Dispose();
    }

    /// <summary>The secret of a catalogue's document; null if the record is none that this version knows.</summary>
    public static NamespaceSecret? TryReadSecret(CatalogueRecord? record) =>
        record?.NamespaceSeed.Length == NamespaceSecret.SeedLength ? NamespaceSecret.FromSeed(record.NamespaceSeed.Span) : null;

    private async Task OpenOwnAsync(NamespaceSecret secret, IReadOnlyList<EndpointAddress> members, CancellationToken cancellationToken)
    {
        if (Own is null)
        {
            Document document = _docs.Import(DocumentCapability.Write(secret));
            document.DownloadPolicy = EntriesOnly;
            Author names = AuthorOf(secret, NamesContext, ""), holder = AuthorOf(secret, HolderContext, _node);
            _store.ImportAuthor(names);
            _store.ImportAuthor(holder);
            (_secret, Names) = (secret, names.Id);
            OpenCatalogue own = await OpenCatalogue.OpenAsync(document, _blobs, holder.Id, [], _time, cancellationToken).ConfigureAwait(false);
            own.Catalogue.Changed += _ownChanged;
            Volatile.Write(ref _own, own);
            _told.Clear();
            document.StartSync();
        }

        EndpointAddress[] news = [.. members.Where(member => _told.TryAdd(member.Id, 0))];
        if (news.Length > 0)
            Own!.Document.StartSync(news);
    }

    // A ticket may allow more than is wanted.
    private Document ImportForReading(DocumentCapability capability)
    {
        Document document = _docs.Import(capability.ToRead());
        document.DownloadPolicy = EntriesOnly;
        return document;
    }

    private static DownloadPolicy EntriesOnly => DownloadPolicy.NothingExcept(KeyFilter.Prefix("image/"u8.ToArray()), KeyFilter.Prefix("holder/"u8.ToArray()));

    private static Dictionary<string, DocTicket> TicketsOf(CatalogueState state)
    {
        var tickets = new Dictionary<string, DocTicket>(StringComparer.Ordinal);
        foreach (ForeignCatalogueRecord record in state.Foreign)
        {
            // What cannot be read was added by a later version.
            if (DocTicket.TryParse(record.Ticket, out DocTicket? ticket))
                tickets[record.Name] = ticket;
        }

        return tickets;
    }

    private static Author AuthorOf(NamespaceSecret secret, string context, string node)
    {
        Blake3Hasher hasher = Blake3Hasher.CreateDeriveKey(context);
        hasher.Update(secret.Seed);
        hasher.Update(Encoding.UTF8.GetBytes(node));
        byte[] seed = new byte[Author.SeedLength];
        hasher.Finish(seed);
        return Author.FromSeed(seed);
    }
}
