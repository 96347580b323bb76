using Blixard.Cluster.Images;
using Blixard.Cluster.Membership;
using Blixard.Cluster.Store;
using Blixard.Images.Catalogue;
using Blixard.Node.Events;
using Blixard.Node.Liveness;
using Blixard.Node.Membership;
using Blixard.Node.P2p;
using Blixard.V1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Iroh;
using Iroh.Blobs;
using Iroh.Blobs.Transfer;
using Iroh.Cryptography;
using Iroh.Docs;
using Iroh.Docs.Store;
using Iroh.Protocols;
using EndpointAddress = Iroh.Base.EndpointAddress;
using EndpointId = Iroh.Base.EndpointId;

namespace Blixard.Node.Images;

/// <summary>
/// The catalogue of images for those who are no members, in a document, and the catalogues of other clusters. Members themselves use the names in
/// the cluster store; here they are only said once more. Thread-safe.
/// </summary>
internal sealed class NodeCatalogue : IEndpointProtocols, IAsyncDisposable
{
    /// <summary>How long a catalogue is shared when nobody says.</summary>
    public static readonly TimeSpan TtlDefault = TimeSpan.FromDays(1);

    /// <summary>The longest time for which it can be shared.</summary>
    public static readonly TimeSpan TtlMax = TimeSpan.FromDays(365);

    // What failed is tried again.
    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(10);

    // Many changes at once, as when a cluster starts, are one.
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    // The store tells of a new record within a moment, unless it is in trouble.
    private static readonly TimeSpan OpenPatience = TimeSpan.FromSeconds(20);

    // Nodes of a ticket: if none of so many is there, the cluster is not.
    private const int TicketNodesMax = 8;

    private readonly NodeSelf _self;
    private readonly NodeCluster _cluster;
    private readonly NodeImages _images;
    private readonly NodeBlobs _blobs;
    private readonly NodeLiveness _liveness;
    private readonly NodeEventHub _events;
    private readonly TimeProvider _time;
    private readonly DiskDocumentStore? _store;
    private readonly string _storeTrouble;
    private readonly CancellationTokenSource _stopping = new();
    private readonly WakeSignal _due = new();
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly Task _loops;
    private readonly CatalogueAccess _access;
    private readonly IDisposable _members;
    private string _warned = "";

    public NodeCatalogue(
        NodeSelf self, NodeCluster cluster, NodeImages images, NodeBlobs blobs, NodeLiveness liveness, string directory, NodeEventHub events, TimeProvider time)
    {
        (_self, _cluster, _images, _blobs, _liveness, _events, _time) = (self, cluster, images, blobs, liveness, events, time);
        (_store, _storeTrouble) = DocumentsDirectory.Open(directory, events);
        _access = new CatalogueAccess(cluster.Directory, time);
        _blobs.AdmitsOutsider = _access.Admits;
        if (_store is not null)
            _images.Store.AlsoLive = _ => ValueTask.FromResult(ReadLive(_store));
        _liveness.Changed += _due.Wake;
        _images.Changed += _due.Wake;
        _images.KnownChanged += _due.Wake;
        _members = cluster.Directory.Subscribe(OnMembers);
        _loops = Task.WhenAll(Task.Run(() => UntilStoppedAsync(FollowAsync)), Task.Run(() => UntilStoppedAsync(WorkAsync)));
    }

    /// <summary>"closed", "open", or "without: " and why this node has none.</summary>
    public string State => Trouble is { Length: > 0 } trouble ? $"without: {trouble}" : _access.IsShared ? "open" : "closed";

    private string Trouble => _store is null ? _storeTrouble
        : _access.Session is null ? $"no P2P ({(_self.P2p.Reason.Length > 0 ? _self.P2p.Reason : "it starts")})"
        : "";

    public IReadOnlyDictionary<string, IProtocolHandler> Attach(IrohEndpoint endpoint)
    {
        var handlers = new Dictionary<string, IProtocolHandler>(_blobs.Attach(endpoint));
        if (_store is not null)
        {
            var session = new CatalogueSession(
                endpoint, _store, _images.Store.Blobs, _blobs.Sources!, _self.Name, _access.MayRead, ownChanged: _due.Wake, _time);
            foreach ((string protocol, IProtocolHandler handler) in session.Handlers)
                handlers.Add(protocol, handler);
            _access.Session = session;
            _due.Wake();
        }

        return handlers;
    }

    public async ValueTask DetachAsync()
    {
        await _turn.WaitAsync().ConfigureAwait(false);
        try
        {
            if (_access.TakeSession() is { } session)
                await session.DisposeAsync().ConfigureAwait(false);
        }
        finally
        {
            _turn.Release();
        }

        await _blobs.DetachAsync().ConfigureAwait(false);
    }

    /// <summary>Lets others read the catalogue.</summary>
    /// <param name="ttl">For how long; positive, at most <see cref="TtlMax"/>.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <returns>The ticket, and until when it is good.</returns>
    /// <exception cref="CatalogueUnavailableException">This node has no P2P or cannot keep documents.</exception>
    public async Task<(DocTicket Ticket, DateTimeOffset Until)> ShareAsync(TimeSpan ttl, CancellationToken cancellationToken)
    {
        _ = RequireSession();
        DateTimeOffset now = _time.GetUtcNow();
        CatalogueRecord fresh = NewRecord();
        fresh.SharedUntil = Timestamp.FromDateTimeOffset(now + ttl);
        CatalogueRecord record = await _cluster.Catalogues.CreateAsync(fresh, cancellationToken).ConfigureAwait(false);
        if (record.NamespaceSeed != fresh.NamespaceSeed)
        {
            record = await _cluster.Catalogues.UpdateAsync(known => CatalogueRecords.Share(known, fresh, now), cancellationToken).ConfigureAwait(false);
        }

        NamespaceSecret secret = CatalogueSession.TryReadSecret(record)
            ?? throw new CatalogueUnavailableException("The catalogue's record was written by a later version. Update this node.");
        CatalogueSession session = await OpenAsync(secret.Id, cancellationToken).ConfigureAwait(false);
        IEnumerable<EndpointAddress> others = Members().OrderByDescending(member => _liveness.Current.Alive.ContainsKey(member.Id)).Take(TicketNodesMax - 1);
        return (new DocTicket(DocumentCapability.Read(secret.Id), [session.Address, .. others]), record.SharedUntil.ToDateTimeOffset());
    }

    /// <summary>Ends all sharing: the names move to a document that nobody outside knows.</summary>
    /// <exception cref="RecordException">NotFound: it was never shared.</exception>
    public async Task RevokeAsync(CancellationToken cancellationToken)
    {
        CatalogueRecord fresh = NewRecord();
        await _cluster.Catalogues.UpdateAsync(_ => fresh.Clone(), cancellationToken).ConfigureAwait(false);
        // This node at once; the others as soon as the store has told them.
        await UntilAsync(() => _access.State?.Own?.NamespaceSeed == fresh.NamespaceSeed, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Adds another cluster's catalogue.</summary>
    /// <exception cref="RecordException">Invalid: the name or the ticket. Conflict: too many.</exception>
    public async Task AddAsync(string name, string ticket, CancellationToken cancellationToken)
    {
        if (!DocTicket.TryParse(ticket, out DocTicket? read, out string? problem))
            throw new RecordException(RecordFailure.Invalid, problem);
        if (CatalogueSession.TryReadSecret(await _cluster.Catalogues.GetAsync(cancellationToken).ConfigureAwait(false))?.Id == read.Capability.Id)
            throw new RecordException(RecordFailure.Invalid, "This is the ticket of this cluster's own catalogue; its images are here anyway.");
        // What it allows beyond reading is nobody's business here.
        var reading = new DocTicket(read.Capability.ToRead(), read.Nodes);
        await _cluster.Catalogues.SetForeignAsync(
            new ForeignCatalogueRecord { Name = name, Ticket = reading.ToString(), AddedBy = _self.Name }, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The catalogues of others.</summary>
    public async Task<IReadOnlyList<ForeignCatalogue>> ListAsync(CancellationToken cancellationToken)
    {
        var list = new List<ForeignCatalogue>();
        CatalogueSession? session = _access.Session;
        foreach (ForeignCatalogueRecord record in await _cluster.Catalogues.ListForeignAsync(cancellationToken).ConfigureAwait(false))
        {
            OpenCatalogue? open = session?.Foreign.GetValueOrDefault(record.Name);
            list.Add(new ForeignCatalogue
            {
                Name = record.Name,
                Document = DocTicket.TryParse(record.Ticket, out DocTicket? ticket) ? ByteString.CopyFrom(ticket.Capability.Id.Span) : ByteString.Empty,
                AddedBy = record.AddedBy,
                Images = (uint)(open?.Catalogue.Current.Images.Count ?? 0),
                Reason = Trouble is { Length: > 0 } trouble ? trouble : open?.Reason ?? "",
            });
        }

        return list;
    }

    /// <summary>The images of others' catalogues, as far as they have arrived, by catalogue, name and tag.</summary>
    public IEnumerable<ForeignImage> ForeignImages() =>
        _access.Session is { } session ? ForeignCatalogues.ImagesOf(session) : [];

    /// <summary>Whether a text names an image of a catalogue that is known here: "CATALOGUE//name:tag".</summary>
    public bool IsForeign(string reference) =>
        ForeignCatalogues.Split(reference) is var (catalogue, _) && _access.State?.Foreign.Any(record => record.Name == catalogue) == true;

    /// <summary>Brings an image of another's catalogue here, and gives it its name in this cluster, too.</summary>
    /// <exception cref="RecordException">There is no such image, or its name stands for other content here.</exception>
    /// <exception cref="CatalogueUnavailableException">This node has no P2P or cannot keep documents.</exception>
    /// <exception cref="BlobTransferException">It could not be fetched.</exception>
    public async Task<ImageRecord> PullAsync(string reference, IProgress<Blixard.Images.ImageProgress>? progress, CancellationToken cancellationToken)
    {
        (CatalogueImage image, IReadOnlyList<IBlobSource> sources) = ForeignCatalogues.Find(RequireSession(), reference);
        return await _images.PullForeignAsync(image, sources, progress, cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        _liveness.Changed -= _due.Wake;
        _images.Changed -= _due.Wake;
        _images.KnownChanged -= _due.Wake;
        _members.Dispose();
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _loops.ConfigureAwait(false);
        _store?.Dispose();
        _stopping.Dispose();
    }

    // The store's own exceptions are not those that whoever collects garbage knows.
    private static IReadOnlySet<BlobHash> ReadLive(DiskDocumentStore store)
    {
        try
        {
            return store.ContentHashes();
        }
        catch (Exception e) when (e is DocumentStoreException or ObjectDisposedException)
        {
            throw new IOException(e.Message, e);
        }
    }

    private CatalogueSession RequireSession() => _access.Session
        ?? throw new CatalogueUnavailableException($"This node cannot share or follow catalogues: {Trouble}.");

    private CatalogueRecord NewRecord() => new()
    {
        NamespaceSeed = ByteString.CopyFrom(NamespaceSecret.Generate(OperatingSystemRandomSource.Instance).Seed),
        CreatedBy = _self.Name,
        CreatedAt = Timestamp.FromDateTimeOffset(_time.GetUtcNow()),
    };

    // The other members that have P2P.
    private List<EndpointAddress> Members() =>
        [.. _cluster.Directory.Current.Where(pair => pair.Key != _self.Id).Select(pair => AddressOf(pair.Key, pair.Value)).OfType<EndpointAddress>()];

    private static EndpointAddress? AddressOf(EndpointId id, Member member) =>
        member.P2PNodeAddr is { } message && MemberAddress.TryRead(message, out EndpointAddress? address, out _) && address.Id == id ? address : null;

    private bool IsSpeaker() => SpeakerPlan.IsSpeaker(_self.Name, _cluster.Directory.Current.Where(pair => pair.Key != _self.Id).Select(
        pair => new SpeakerCandidate(pair.Value.Node.Name, _liveness.Current.Alive.ContainsKey(pair.Key), AddressOf(pair.Key, pair.Value) is not null)));

    private async Task<CatalogueSession> OpenAsync(NamespaceId document, CancellationToken cancellationToken)
    {
        await UntilAsync(() => _access.Session?.Own?.Document.Id == document, cancellationToken).ConfigureAwait(false);
        CatalogueSession session = RequireSession();
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            // Whoever has the ticket finds the names, whichever node says them from now on.
            if (_images.IsKnown && session.Own is { } own)
                await own.Catalogue.MirrorAsync(session.Names, _access.Content.Images, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (IsTrouble(e))
        {
            throw new CatalogueUnavailableException($"The catalogue could not be written: {e.Message}");
        }
        finally
        {
            _turn.Release();
        }

        return session;
    }

    private async Task UntilAsync(Func<bool> condition, CancellationToken cancellationToken)
    {
        long began = _time.GetTimestamp();
        while (!condition())
        {
            if (_time.GetElapsedTime(began) > OpenPatience)
                throw new CatalogueUnavailableException("The record is written, but the cluster store has not told this node of it in time. Try again.");
            _due.Wake();
            await Task.Delay(Pause, _time, cancellationToken).ConfigureAwait(false);
        }
    }

    // Who is new is told of the document at once, and what those held who are gone is taken back.
    private void OnMembers(MembersUpdate update)
    {
        foreach (MemberChange gone in update.Changes.Where(change => change.Kind == MemberChangeKind.Removed))
            _access.Session?.ForgetMember(gone.Id);
        _due.Wake();
    }

    private async Task UntilStoppedAsync(Func<CancellationToken, Task> loop)
    {
        try
        {
            await loop(_stopping.Token).ConfigureAwait(false);
        }
        catch (Exception e) when ((e is OperationCanceledException or ObjectDisposedException) && _stopping.IsCancellationRequested)
        {
            // Disposed, and the store with the node.
        }
    }

    private async Task FollowAsync(CancellationToken cancellationToken)
    {
        await foreach (CatalogueState state in _cluster.Catalogues.FollowAsync(_time, cancellationToken).ConfigureAwait(false))
        {
            _access.State = state;
            _due.Wake();
        }
    }

    private async Task WorkAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            await _due.WaitAsync(LookInterval, _time, cancellationToken).ConfigureAwait(false);
            await Task.Delay(Pause, _time, cancellationToken).ConfigureAwait(false);
            await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                if (_access.Session is { } session && _access.State is { } state)
                    await KeepUpAsync(session, state, cancellationToken).ConfigureAwait(false);
                _warned = "";
            }
            catch (Exception e) when (IsTrouble(e))
            {
                // The next look makes up for it; once is enough to tell.
                if (_warned != e.Message)
                    _events.Publish(new WarningEvent($"The catalogue for others could not be kept up: {e.Message}"));
                _warned = e.Message;
            }
            finally
            {
                _turn.Release();
            }
        }
    }

    private static bool IsTrouble(Exception e) =>
        e is IOException or DocumentStoreException or DocumentMissingException or NewerEntryException or ObjectDisposedException;

    private async Task KeepUpAsync(CatalogueSession session, CatalogueState state, CancellationToken cancellationToken)
    {
        if (_images.IsKnown)
            _access.Content = SharedContent.Of(_images.Known);
        await session.FollowAsync(state, Members(), cancellationToken).ConfigureAwait(false);
        if (!_images.IsKnown || session.Own is not { } own || _self.Id is not { } id)
            return;
        SharedContent content = _access.Content;
        HashSet<BlobHash> here = [.. content.Images.Select(image => image.Hash).Where(hash => _images.Store.TryGet(hash, out _))];
        await own.Catalogue.HoldAsync(new CatalogueHolder(_self.Name, id), here, cancellationToken).ConfigureAwait(false);
        if (!IsSpeaker())
            return;
        await own.Catalogue.MirrorAsync(session.Names, content.Images, cancellationToken).ConfigureAwait(false);
        // What was known at the last run says nothing of those who have come since.
        if (_cluster.Directory.Loaded.IsCompletedSuccessfully)
            await session.ForgetHoldersAsync(name => name == _self.Name || _cluster.Directory.TryGet(name, out _), cancellationToken).ConfigureAwait(false);
    }
}
