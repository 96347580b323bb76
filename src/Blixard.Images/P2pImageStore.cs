using Blixard.Images.Blobs;
using Blixard.Images.Fetching;
using Blixard.Images.Manifests;
using Iroh.Blobs;

namespace Blixard.Images;

/// <summary>Brings images to this machine from peers that have them. Thread-safe: those who want one image share one fetch.</summary>
public sealed class P2pImageStore
{
    private readonly Lock _lock = new();
    private readonly Dictionary<BlobHash, SharedFetch> _fetches = [];
    private readonly ImageStore _images;
    private readonly BlobFetcher _fetcher;
    private readonly TimeProvider _time;

    /// <summary>Makes a store of peers' images over the local one.</summary>
    /// <param name="images">Where images go.</param>
    /// <param name="fetcher">Fetches into the blobs of <paramref name="images"/>.</param>
    /// <param name="time">The clock for rates.</param>
    public P2pImageStore(ImageStore images, BlobFetcher fetcher, TimeProvider time)
    {
        _images = images;
        _fetcher = fetcher;
        _time = time;
    }

    /// <summary>Makes sure that an image is on this machine. Pin it first (<see cref="ImageStore.Pin"/>) if it is to be used after.</summary>
    /// <param name="image">The image's hash.</param>
    /// <param name="sources">Whom to ask, best first; those of the first who wants the image are used by all who join the fetch.</param>
    /// <param name="progress">Told how far it is; null = nobody is.</param>
    /// <param name="cancellationToken">Ends the waiting, and the fetch when nobody else waits for it.</param>
    /// <returns>The image's files.</returns>
    /// <exception cref="BlobNotFoundException">Nobody who was asked has it; the text names them.</exception>
    /// <exception cref="BlobFetchException">No source is left; the subclasses say why.</exception>
    /// <exception cref="InvalidManifestException">The hash is not that of an image.</exception>
    /// <exception cref="StoreFullException">There is no room.</exception>
    public async Task<LocalImage> EnsureAsync(
        BlobHash image, IReadOnlyList<BlobSource> sources, IProgress<ImageProgress>? progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(sources);
        cancellationToken.ThrowIfCancellationRequested();
        if (_images.TryGetLocal(image, out LocalImage? local))
            return local;
        SharedFetch fetch;
        lock (_lock)
        {
            bool isNew = !_fetches.TryGetValue(image, out fetch!);
            if (isNew)
                _fetches.Add(image, fetch = new SharedFetch());

            // Joined before it starts, so that its first word is heard.
            fetch.Join(progress);
            SharedFetch mine = fetch;

            // Nothing of it may run under the lock, nor on the first caller's stack.
            if (isNew)
                fetch.Task = Task.Run(() => RunAsync(image, sources, mine), CancellationToken.None);
        }

        try
        {
            return await fetch.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            lock (_lock)
            {
                if (fetch.Leave(progress) && !fetch.HasEnded)
                {
                    // Who comes now starts anew; the turn for each blob makes it wait for this one's end.
                    RemoveIfSame(image, fetch);
                    fetch.Cancel();
                }
            }
        }
    }

    private async Task<LocalImage> RunAsync(BlobHash image, IReadOnlyList<BlobSource> sources, SharedFetch fetch)
    {
        try
        {
            using IDisposable pin = _images.Pin(image);
            return await FetchAsync(image, sources, fetch).ConfigureAwait(false);
        }
        finally
        {
            lock (_lock)
            {
                RemoveIfSame(image, fetch);
                fetch.Dispose();
            }
        }
    }

    private async Task<LocalImage> FetchAsync(BlobHash image, IReadOnlyList<BlobSource> sources, SharedFetch fetch)
    {
        fetch.Report(new ImageProgress("manifest", 0, 0, 0, ""));
        if (!_images.TryReadManifest(image, out ImageManifest? manifest))
        {
            byte[] bytes = await _fetcher.FetchSmallAsync(image, ImageManifest.LengthMax, sources, fetch.Token).ConfigureAwait(false);
            if (!ImageManifest.TryRead(bytes, out manifest, out string? wrong))
                throw new InvalidManifestException($"{image} is not an image: {wrong}");
        }

        using IDisposable pins = _images.Blobs.Pin(manifest.Parts.Select(static part => part.Hash));
        var rate = new TransferRate(_time);
        long before = 0;
        long fetched = 0;
        foreach (ManifestPart part in manifest.Parts)
        {
            long fetchedOfPart = 0;
            void Report(FetchProgress at)
            {
                fetchedOfPart = at.PresentBytes - at.ResumedBytes;
                fetch.Report(new ImageProgress(
                    part.FileName, before + at.PresentBytes, manifest.TotalSize, rate.Of(fetched + fetchedOfPart), at.Source));
            }

            try
            {
                await _fetcher.FetchAsync(part.Hash, part.Size, sources, Report, fetch.Token).ConfigureAwait(false);
            }
            catch (StoreFullException) when (_images.Collect(withUnfinished: true) > 0)
            {
                // What nothing holds made room; what is here of this image is pinned and stayed.
                await _fetcher.FetchAsync(part.Hash, part.Size, sources, Report, fetch.Token).ConfigureAwait(false);
            }
            before += part.Size;
            fetched += fetchedOfPart;
        }

        // A blob that was here before the manifest may be of another size than this manifest says.
        foreach (ManifestPart part in manifest.Parts)
            if (_images.Blobs.TryGetSize(part.Hash, out long size) && size != part.Size)
                throw new InvalidManifestException($"{part.FileName} of image {image} has {size} bytes and not {part.Size}");
        _images.Complete(manifest);
        return _images.TryGetLocal(image, out LocalImage? local)
            ? local
            : throw new IOException($"image {image} was removed from the disk while it was fetched");
    }

    private void RemoveIfSame(BlobHash image, SharedFetch fetch)
    {
        if (_fetches.TryGetValue(image, out SharedFetch? current) && current == fetch)
            _fetches.Remove(image);
    }

    // One fetch and those who wait for it. Joined, left, cancelled and disposed (by the fetch, at its end) under the owner's lock.
    private sealed class SharedFetch : IDisposable
    {
        private readonly CancellationTokenSource _cancel = new();
        private readonly List<IProgress<ImageProgress>> _listeners = [];
        private int _waiting;

        public Task<LocalImage> Task { get; set; } = null!;

        public CancellationToken Token => _cancel.Token;

        public bool HasEnded { get; private set; }

        public void Join(IProgress<ImageProgress>? progress)
        {
            _waiting++;
            if (progress is not null)
            {
                lock (_listeners)
                    _listeners.Add(progress);
            }
        }

        // True when nobody waits any more.
        public bool Leave(IProgress<ImageProgress>? progress)
        {
            if (progress is not null)
            {
                lock (_listeners)
                    _listeners.Remove(progress);
            }
            return --_waiting == 0;
        }

        public void Cancel() => _cancel.Cancel();

        public void Dispose()
        {
            HasEnded = true;
            _cancel.Dispose();
        }

        public void Report(ImageProgress progress)
        {
            IProgress<ImageProgress>[] listeners;
            lock (_listeners)
                listeners = [.. _listeners];
            foreach (IProgress<ImageProgress> listener in listeners)
                listener.Report(progress);
        }
    }
}
