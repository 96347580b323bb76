using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Blixard.Cluster.Images;
using Blixard.Cluster.Store;
using Blixard.Images;
using Blixard.Images.Catalogue;
using Blixard.Images.Manifests;
using Blixard.Node.Events;
using Blixard.Node.Membership;
using Blixard.Node.Peers;
using Blixard.Rpc.Calls;
using Blixard.V1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Iroh.Blobs;
using Iroh.Blobs.Transfer;
using ImageProgress = Blixard.Images.ImageProgress;

namespace Blixard.Node.Images;

/// <summary>The images of this node and the cluster's catalogue of them. Thread-safe.</summary>
internal sealed class NodeImages : IDisposable
{
    // Members that are not known to have an image are asked for it, too: they may be fetching it themselves, and give what has come. So many
    // are enough to spread the load; with more, asking costs more than it brings.
    private const int OthersAskedMax = 16;

    private readonly NodeSelf _self;
    private readonly NodeCluster _cluster;
    private readonly PeerTable _peers;
    private readonly NodeBlobs _blobs;
    private readonly NodeEventHub _events;
    private readonly BlobDownloader _downloader;
    private readonly P2pImageStore _fetcher;
    private readonly ConcurrentDictionary<string, (BlobHash Hash, IDisposable Pin)> _pins = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<BlobHash, bool> _named = [];
    private IReadOnlyList<ImageRecord>? _known;
    private int _adding;

    public NodeImages(NodeSelf self, NodeCluster cluster, PeerTable peers, NodeBlobs blobs, NodeEventHub events, ImageStore store, TimeProvider time)
    {
        (_self, _cluster, _peers, _blobs, _events, Store) = (self, cluster, peers, blobs, events, store);
        _downloader = new BlobDownloader(store.Blobs, new BlobTransferOptions { TimeProvider = time });
        _fetcher = new P2pImageStore(store, _downloader, time);
    }

    /// <summary>Raised, on any thread, when an image has come here or went.</summary>
    public event Action? Changed;

    /// <summary>Raised, on any thread, when <see cref="Known"/> is another.</summary>
    public event Action? KnownChanged;

    /// <summary>What is here.</summary>
    public ImageStore Store { get; }

    /// <summary>The catalogue as it was known last: what is gone by when the cluster store does not answer.</summary>
    public IReadOnlyList<ImageRecord> Known
    {
        get => Volatile.Read(ref _known) ?? [];
        set
        {
            foreach (ImageRecord record in value)
                NoteNamed(record);
            Volatile.Write(ref _known, value);
            KnownChanged?.Invoke();
        }
    }

    /// <summary>Whether <see cref="Known"/> was ever heard from the cluster store.</summary>
    public bool IsKnown => Volatile.Read(ref _known) is not null;

    /// <summary>Whether an image has had a name since this node started, however shortly.</summary>
    public bool WasNamed(BlobHash image) => _named.ContainsKey(image);

    /// <summary>Whether an image is being added, which is here before the catalogue names it.</summary>
    public bool IsAdding => Volatile.Read(ref _adding) > 0;

    /// <summary>Packs an image from files of this machine and puts it into the catalogue. If that fails nothing of it stays.</summary>
    /// <param name="files">What it consists of.</param>
    /// <param name="copies">On how many nodes it should be; 0: wherever it is needed.</param>
    /// <param name="progress">Told now and then.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <exception cref="ImageException">Not allowed, or no room.</exception>
    /// <exception cref="RecordException">The name stands for other content.</exception>
    public async Task<ImageRecord> AddAsync(ImageFiles files, int copies, IProgress<ImageProgress>? progress, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _adding);
        try
        {
            ImageManifest manifest = await Store.AddAsync(files, progress, cancellationToken).ConfigureAwait(false);
            try
            {
                ImageRecord record = await _cluster.Images.AddAsync(RecordOf(manifest, copies), _self.Name, cancellationToken).ConfigureAwait(false);
                NoteNamed(record);
                _events.Publish(new ImageAddedEvent($"{manifest.Name}:{manifest.Tag}", manifest.Hash.ToString()));
                return record;
            }
            catch (Exception e) when (e is RecordException or StoreUnavailableException or OperationCanceledException)
            {
                await TryRemoveAsync(manifest.Hash).ConfigureAwait(false);
                throw;
            }
        }
        finally
        {
            Interlocked.Decrement(ref _adding);
        }
    }

    /// <summary>What a name or hash stands for, also while the cluster store does not answer.</summary>
    /// <exception cref="RecordException">There is no such image.</exception>
    public async Task<ImageRecord> FindAsync(string reference, CancellationToken cancellationToken)
    {
        bool isHash = ImageReference.TryParseHash(reference, out BlobHash hash);
        string full = isHash ? "" : ImageRecords.Normalize(reference);
        bool IsMeant(ImageRecord record) => isHash ? record.Hash.Span.SequenceEqual(hash.ToArray()) : $"{record.Name}:{record.Tag}" == full;
        try
        {
            if (!isHash)
                return await _cluster.Images.GetAsync(reference, cancellationToken).ConfigureAwait(false);
            return (await _cluster.Images.ListAsync(cancellationToken).ConfigureAwait(false)).FirstOrDefault(IsMeant)
                ?? throw new RecordException(RecordFailure.NotFound, $"There is no image with the hash {hash}.");
        }
        catch (StoreUnavailableException) when (Known.FirstOrDefault(IsMeant) is { } known)
        {
            return known.Clone();
        }
    }

    /// <summary>Makes sure that an image is here, and that the catalogue knows.</summary>
    /// <exception cref="ImageException">It is none.</exception>
    /// <exception cref="BlobTransferException">It could not be fetched.</exception>
    public async Task<ImageRecord> PullAsync(ImageRecord record, IProgress<ImageProgress>? progress, CancellationToken cancellationToken)
    {
        BlobHash hash = new(record.Hash.Span);
        NoteNamed(record);
        await EnsureAsync(hash, progress, cancellationToken).ConfigureAwait(false);
        if (!record.Nodes.Contains(_self.Name))
        {
            try
            {
                await _cluster.Images.AddHolderAsync($"{record.Name}:{record.Tag}", record.Hash.Memory, _self.Name, cancellationToken).ConfigureAwait(false);
                record.Nodes.Add(_self.Name);
            }
            catch (StoreUnavailableException)
            {
                // The upkeep notes it when the store answers again.
            }
        }

        return record;
    }

    /// <summary>Brings an image of another cluster's catalogue here and puts it into this cluster's.</summary>
    /// <param name="image">What the other catalogue says of it.</param>
    /// <param name="sources">Who has it.</param>
    /// <param name="progress">Told now and then.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <exception cref="ImageException">It is none.</exception>
    /// <exception cref="BlobTransferException">It could not be fetched.</exception>
    /// <exception cref="RecordException">The name stands for other content in this cluster.</exception>
    public async Task<ImageRecord> PullForeignAsync(
        CatalogueImage image, IReadOnlyList<IBlobSource> sources, IProgress<ImageProgress>? progress, CancellationToken cancellationToken)
    {
        // Said before gigabytes are fetched; adding it says it again.
        ImageRecord? same = (await _cluster.Images.ListAsync(cancellationToken).ConfigureAwait(false))
            .FirstOrDefault(record => record.Name == image.Name && record.Tag == image.Tag);
        if (same is not null && !same.Hash.Span.SequenceEqual(image.Hash.ToArray()))
            throw new RecordException(RecordFailure.AlreadyExists, $"The image {image.Reference} exists in this cluster with other content. Remove it first.");
        Interlocked.Increment(ref _adding);
        try
        {
            LocalImage local = await _fetcher.EnsureAsync(image.Hash, sources, progress, cancellationToken).ConfigureAwait(false);
            ImageRecord wish = RecordOf(local.Manifest, copies: 0);
            (wish.Name, wish.Tag) = (image.Name, image.Tag);
            // If it gets none after all, the upkeep removes it.
            NoteNamed(wish);
            ImageRecord record = await _cluster.Images.AddAsync(wish, _self.Name, cancellationToken).ConfigureAwait(false);
            _events.Publish(new ImageAddedEvent(image.Reference, image.Hash.ToString()));
            return record;
        }
        finally
        {
            Interlocked.Decrement(ref _adding);
            Changed?.Invoke();
        }
    }

    /// <summary>Makes sure that an image is here, whatever it is called.</summary>
    /// <exception cref="ImageException">It is none.</exception>
    /// <exception cref="BlobTransferException">It could not be fetched.</exception>
    public async Task<LocalImage> EnsureAsync(BlobHash hash, IProgress<ImageProgress>? progress, CancellationToken cancellationToken)
    {
        if (await Store.TryGetLocalAsync(hash, cancellationToken).ConfigureAwait(false) is { } here)
            return here;
        ImageRecord? record = null;
        try
        {
            record = await FindAsync(hash.ToString(), cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is RecordException or StoreUnavailableException)
        {
            // The name was taken away, or nobody can be asked for it: somebody may still have it.
        }

        LocalImage image = await _fetcher.EnsureAsync(hash, SourcesOf(record?.Nodes ?? []), progress, cancellationToken).ConfigureAwait(false);
        _events.Publish(new ImageAddedEvent($"{image.Manifest.Name}:{image.Manifest.Tag}", hash.ToString()));
        Changed?.Invoke();
        return image;
    }

    /// <summary>Keeps the image of a VM from being removed until <see cref="Unpin"/>.</summary>
    public void Pin(string vm, BlobHash image)
    {
        if (_pins.TryGetValue(vm, out (BlobHash Hash, IDisposable Pin) held) && held.Hash == image)
            return;
        IDisposable pin = Store.Pin(image);
        held.Pin?.Dispose();
        _pins[vm] = (image, pin);
    }

    /// <summary>Lets the image of a VM go.</summary>
    public void Unpin(string vm)
    {
        if (_pins.TryRemove(vm, out (BlobHash Hash, IDisposable Pin) held))
            held.Pin.Dispose();
    }

    /// <summary>Takes an image out of the catalogue, and from this node's disk unless a VM uses it here. Other nodes follow by themselves.</summary>
    public async Task RemoveAsync(ImageRecord record, CancellationToken cancellationToken)
    {
        await _cluster.Images.RemoveAsync($"{record.Name}:{record.Tag}", cancellationToken).ConfigureAwait(false);
        IReadOnlyList<ImageRecord> others = await _cluster.Images.ListAsync(cancellationToken).ConfigureAwait(false);
        if (others.All(other => other.Hash != record.Hash))
            await TryRemoveAsync(new BlobHash(record.Hash.Span)).ConfigureAwait(false);
    }

    /// <summary>Removes an image from this node's disk unless it is in use.</summary>
    public async Task<bool> TryRemoveAsync(BlobHash image)
    {
        try
        {
            bool isRemoved = await Store.RemoveAsync(image, CancellationToken.None).ConfigureAwait(false);
            _named.TryRemove(image, out _);
            if (isRemoved)
                Changed?.Invoke();
            return isRemoved;
        }
        catch (ImageInUseException)
        {
            // It goes with the upkeep after the VM is gone.
            return false;
        }
    }

    public void Dispose() => _downloader.Dispose();

    // Those first that are known to hold it.
    private List<IBlobSource> SourcesOf(IEnumerable<string> nodes)
    {
        var holders = nodes.ToHashSet(StringComparer.Ordinal);
        Peer[] peers = [.. _peers.All.OrderBy(peer => peer.Name, StringComparer.Ordinal)];
        IEnumerable<Peer> others = peers.Where(peer => !holders.Contains(peer.Name) && IsReached(peer)).Take(OthersAskedMax);
        return [.. peers.Where(peer => holders.Contains(peer.Name)).Concat(others).Select(_blobs.SourceOf)];
    }

    // Who cannot be reached would hold the fetch up and has probably nothing.
    private static bool IsReached(Peer peer) => peer.Channel.Current == RpcTransport.P2p || peer.Grpc.Status.State == GrpcState.Reachable;

    private ImageRecord RecordOf(ImageManifest manifest, int copies)
    {
        var record = new ImageRecord
        {
            Name = manifest.Name,
            Tag = manifest.Tag,
            Hash = ByteString.CopyFrom(manifest.Hash.ToArray()),
            SizeBytes = (ulong)manifest.TotalSize,
            CreatedAt = Timestamp.FromDateTimeOffset(manifest.Created),
            Kind = ImageKinds.ToMessage(manifest.Kind),
            Architecture = manifest.Architecture,
            KernelArgs = manifest.KernelArguments,
            AddedBy = _self.Name,
            Copies = (uint)copies,
            Labels = { manifest.Labels.ToDictionary() },
        };
        record.Parts.AddRange(manifest.Parts.Select(part => new ImagePart
        {
            Kind = part.Kind switch
            {
                ManifestPartKind.Kernel => ImagePartKind.Kernel,
                ManifestPartKind.Initramfs => ImagePartKind.Initramfs,
                _ => ImagePartKind.Disk,
            },
            Name = part.FileName,
            Hash = ByteString.CopyFrom(part.Hash.ToArray()),
            SizeBytes = (ulong)part.Size,
        }));
        return record;
    }

    private void NoteNamed(ImageRecord record) => _named[new BlobHash(record.Hash.Span)] = true;

    /// <summary>The architecture of this machine, as images name it.</summary>
    public static string Architecture => RuntimeInformation.OSArchitecture == System.Runtime.InteropServices.Architecture.Arm64 ? "aarch64" : "x86_64";
}
