using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Blixard.Images;
using Blixard.Images.Fetching;
using Blixard.Images.Manifests;
using Blixard.Node.Events;
using Blixard.Node.Membership;
using Blixard.Node.Peers;
using Blixard.V1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Iroh.Blobs;
using ImageProgress = Blixard.Images.ImageProgress;

namespace Blixard.Node.Images;

/// <summary>The images of this node and the cluster's catalogue of them. Thread-safe.</summary>
internal sealed class NodeImages
{
    private readonly NodeSelf _self;
    private readonly NodeCluster _cluster;
    private readonly PeerTable _peers;
    private readonly NodeEventHub _events;
    private readonly P2pImageStore _fetching;
    private readonly ConcurrentDictionary<string, (BlobHash Hash, IDisposable Pin)> _pins = new(StringComparer.Ordinal);

    public NodeImages(NodeSelf self, NodeCluster cluster, PeerTable peers, NodeEventHub events, ImageStore store, TimeProvider time)
    {
        (_self, _cluster, _peers, _events, Store) = (self, cluster, peers, events, store);
        _fetching = new P2pImageStore(store, new BlobFetcher(store.Blobs, time), time);
    }

    /// <summary>What is here.</summary>
    public ImageStore Store { get; }

    /// <summary>Packs an image from files of this machine and puts it into the catalogue.</summary>
    /// <exception cref="ImageException">Not allowed, or no room.</exception>
    /// <exception cref="Cluster.Store.RecordException">The name stands for other content.</exception>
    public async Task<ImageRecord> AddAsync(ImageFiles files, IProgress<ImageProgress>? progress, CancellationToken cancellationToken)
    {
        ImageManifest manifest = await Store.AddAsync(files, progress, cancellationToken).ConfigureAwait(false);
        ImageRecord record = await _cluster.Images.AddAsync(RecordOf(manifest), _self.Name, cancellationToken).ConfigureAwait(false);
        _events.Publish(new ImageAddedEvent($"{manifest.Name}:{manifest.Tag}", manifest.Hash.ToString()));
        return record;
    }

    /// <summary>Makes sure that an image of the catalogue is here, and that the catalogue knows.</summary>
    /// <exception cref="ImageException">It could not be fetched, or there is no room.</exception>
    /// <exception cref="Cluster.Store.RecordException">There is no such image.</exception>
    public async Task<(LocalImage Image, ImageRecord Record)> EnsureAsync(
        string reference, IProgress<ImageProgress>? progress, CancellationToken cancellationToken)
    {
        ImageRecord record = await _cluster.Images.GetAsync(reference, cancellationToken).ConfigureAwait(false);
        BlobHash hash = new(record.Hash.Span);
        bool isHere = Store.TryGetLocal(hash, out _);
        LocalImage image = await _fetching.EnsureAsync(hash, SourcesOf(record), progress, cancellationToken).ConfigureAwait(false);
        if (!record.Nodes.Contains(_self.Name))
            await _cluster.Images.AddHolderAsync($"{record.Name}:{record.Tag}", record.Hash.Memory, _self.Name, cancellationToken).ConfigureAwait(false);
        if (!isHere)
            _events.Publish(new ImageAddedEvent($"{record.Name}:{record.Tag}", hash.ToString()));
        return (image, record);
    }

    /// <summary>An image that is here, by what it was packed as; null if none is.</summary>
    public LocalImage? TryGetLocal(string reference) =>
        ImageReference.TryParse(reference, out ImageReference? parsed, out _) && Store.TryFind(parsed, out ImageManifest? manifest)
            && Store.TryGetLocal(manifest.Hash, out LocalImage? local) ? local : null;

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

    /// <summary>Takes an image out of the catalogue, and from this node's disk unless a VM uses it here.</summary>
    public async Task RemoveAsync(ImageRecord record, CancellationToken cancellationToken)
    {
        await _cluster.Images.RemoveAsync($"{record.Name}:{record.Tag}", cancellationToken).ConfigureAwait(false);
        IReadOnlyList<ImageRecord> others = await _cluster.Images.ListAsync(cancellationToken).ConfigureAwait(false);
        if (others.Any(other => other.Hash == record.Hash))
            return;
        try
        {
            Store.Remove(new BlobHash(record.Hash.Span));
        }
        catch (ImageInUseException)
        {
            // It goes when the node collects after the VM is gone; its name is out of the catalogue already.
        }
    }

    // Nodes that hold it, those first whose P2P link is ready: chunks travel over links.
    private List<BlobSource> SourcesOf(ImageRecord record)
    {
        var holders = record.Nodes.ToHashSet(StringComparer.Ordinal);
        return
        [
            .. _peers.All.Where(peer => holders.Contains(peer.Name))
                .OrderBy(peer => peer.Channel.Current)
                .ThenBy(peer => peer.Name, StringComparer.Ordinal)
                .Select(peer => RpcBlobSource.Create(peer.Name, peer.Channel)),
        ];
    }

    private ImageRecord RecordOf(ImageManifest manifest)
    {
        var record = new ImageRecord
        {
            Name = manifest.Name,
            Tag = manifest.Tag,
            Hash = ByteString.CopyFrom(manifest.Hash.ToArray()),
            SizeBytes = (ulong)manifest.TotalSize,
            CreatedAt = Timestamp.FromDateTimeOffset(manifest.Created),
            Architecture = manifest.Architecture,
            KernelArgs = manifest.KernelArguments,
            AddedBy = _self.Name,
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

    /// <summary>The architecture of this machine, as images name it.</summary>
    public static string Architecture => RuntimeInformation.OSArchitecture == System.Runtime.InteropServices.Architecture.Arm64 ? "aarch64" : "x86_64";
}
