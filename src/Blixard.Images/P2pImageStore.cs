using Blixard.Images.Manifests;
using Iroh.Blobs;
using Iroh.Blobs.Store;
using Iroh.Blobs.Transfer;

namespace Blixard.Images;

/// <summary>Brings images to this machine from peers that have them. Thread-safe: those who want one image share one fetch.</summary>
public sealed class P2pImageStore
{
    private readonly Lock _lock = new();
    private readonly Dictionary<BlobHash, SharedFetch> _fetches = [];
    private readonly ImageStore _images;
    private readonly BlobDownloader _downloader;
    private readonly TimeProvider _time;

    /// <summary>Fetches into a store of images.</summary>
    /// <param name="images">Where images go.</param>
    /// <param name="downloader">Downloads into the blobs of <paramref name="images"/>.</param>
    /// <param name="time">The clock for rates.</param>
    public P2pImageStore(ImageStore images, BlobDownloader downloader, TimeProvider time)
    {
        _images = images;
        _downloader = downloader;
        _time = time;
    }

    /// <summary>Makes sure that an image is on this machine. Pin it first (<see cref="ImageStore.Pin"/>) if it is to be used after.</summary>
    /// <param name="image">The image's hash.</param>
    /// <param name="sources">Whom to ask; those of the first who wants the image are used by all who join the fetch.</param>
    /// <param name="progress">Told how far it is; null = nobody is.</param>
    /// <param name="cancellationToken">Ends the waiting, and the fetch when nobody else waits for it.</param>
    /// <returns>The image's files.</returns>
    /// <exception cref="BlobTransferException">No source is left; the text says why for each.</exception>
    /// <exception cref="InvalidManifestException">The hash is not that of an image.</exception>
    /// <exception cref="StoreFullException">There is no room.</exception>
    public async Task<LocalImage> EnsureAsync(
        BlobHash image, IReadOnlyList<IBlobSource> sources, IProgress<ImageProgress>? progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(sources);
        cancellationToken.ThrowIfCancellationRequested();
        if (await _images.TryGetLocalAsync(image, cancellationToken).ConfigureAwait(false) is { } local)
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
                    // Who comes now starts anew.
                    RemoveIfSame(image, fetch);
                    fetch.Cancel();
                }
            }
        }
    }

    private async Task<LocalImage> RunAsync(BlobHash image, IReadOnlyList<IBlobSource> sources, SharedFetch fetch)
    {
        try
        {
            using IDisposable pin = _images.Pin(image);
            return await FetchAsync(image, sources, fetch).ConfigureAwait(false);
        }
        catch (InvalidManifestException)
        {
            // What came of it is of no use to anybody.
            await _images.CollectAsync(withUnfinished: false, CancellationToken.None).ConfigureAwait(false);
            throw;
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

    private async Task<LocalImage> FetchAsync(BlobHash image, IReadOnlyList<IBlobSource> sources, SharedFetch fetch)
    {
        fetch.Report(new ImageProgress("manifest", 0, 0, 0, []));
        using TempTag manifestHeld = _images.Blobs.Hold(new HashAndFormat(image, BlobFormat.Raw));
        ImageManifest manifest = await FetchManifestAsync(image, sources, fetch.Token).ConfigureAwait(false);
        using TempTag held = _images.Blobs.Hold(ImageCollection.Of(manifest).Content);
        await MakeRoomAsync(() => _images.BeginPullAsync(manifest, fetch.Token), fetch.Token).ConfigureAwait(false);
        var account = new FetchAccount(manifest, new TransferRate(_time), fetch.Report);
        foreach (ManifestPart part in manifest.Parts)
        {
            // A blob that was here before the manifest may be of another size than the manifest says.
            FetchAccount parts = account.Begin(part);
            await MakeRoomAsync(
                () => _downloader.DownloadAsync(new HashAndFormat(part.Hash, BlobFormat.Raw), sources, parts, fetch.Token), fetch.Token).ConfigureAwait(false);
            if (_images.Blobs.GetStatus(part.Hash).Size is { } size && size != part.Size)
                throw new InvalidManifestException($"{part.FileName} of image {image} has {size} bytes and not {part.Size}");
            account.End(part);
        }

        await _images.CompleteAsync(manifest, fetch.Token).ConfigureAwait(false);
        return await _images.TryGetLocalAsync(image, fetch.Token).ConfigureAwait(false)
            ?? throw new IOException($"image {image} was removed from the disk while it was fetched");
    }

    private async Task<ImageManifest> FetchManifestAsync(BlobHash image, IReadOnlyList<IBlobSource> sources, CancellationToken cancellationToken)
    {
        if (!_images.Blobs.GetStatus(image).IsComplete)
        {
            using var tooLong = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            var guard = new LengthGuard(tooLong);
            try
            {
                await _downloader.DownloadAsync(new HashAndFormat(image, BlobFormat.Raw), sources, guard, tooLong.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                // It is no manifest; what came is given up with it.
            }
        }

        return await _images.TryReadManifestAsync(image, cancellationToken).ConfigureAwait(false)
            ?? throw new InvalidManifestException($"{image} is not an image: its content is no manifest of at most {ImageManifest.LengthMax} bytes");
    }

    // What nothing holds makes room; what is here of this image is held and stays.
    private async Task MakeRoomAsync(Func<Task> write, CancellationToken cancellationToken)
    {
        try
        {
            await write().ConfigureAwait(false);
        }
        catch (StoreFullException)
        {
            if (await _images.CollectAsync(withUnfinished: true, cancellationToken).ConfigureAwait(false) == 0)
                throw;
            await write().ConfigureAwait(false);
        }
    }

    private void RemoveIfSame(BlobHash image, SharedFetch fetch)
    {
        if (_fetches.TryGetValue(image, out SharedFetch? current) && current == fetch)
            _fetches.Remove(image);
    }

    /// <summary>Ends a download as soon as it is known to be longer than any manifest: a hash may be that of a disk.</summary>
    private sealed class LengthGuard(CancellationTokenSource tooLong) : IProgress<DownloadProgress>
    {
        public void Report(DownloadProgress value)
        {
            if (value.Total > ImageManifest.LengthMax)
                tooLong.Cancel();
        }
    }

    /// <summary>Adds up what the parts' downloads tell. One part at a time.</summary>
    private sealed class FetchAccount(ImageManifest manifest, TransferRate rate, Action<ImageProgress> report) : IProgress<DownloadProgress>
    {
        private readonly Dictionary<string, long> _bytesBefore = new(StringComparer.Ordinal);
        private readonly Lock _lock = new();
        private DownloadProgress? _last;
        private ManifestPart? _part;
        private long _before;
        private long _fetchedBefore;
        private long? _presentAtFirst;

        public FetchAccount Begin(ManifestPart part)
        {
            lock (_lock)
                (_part, _last, _presentAtFirst) = (part, null, null);
            return this;
        }

        public void Report(DownloadProgress value)
        {
            ImageProgress progress;
            lock (_lock)
            {
                if (_part is null || value.Blob != _part.Hash)
                    return;
                _last = value;
                _presentAtFirst ??= value.Present;
                long fetched = _fetchedBefore + value.Present - _presentAtFirst.Value;
                progress = new ImageProgress(
                    _part.FileName, _before + value.Present, manifest.TotalSize, rate.Of(fetched),
                    [.. value.Sources.Select(source => new ImageSourceProgress(
                        source.Name, _bytesBefore.GetValueOrDefault(source.Name) + source.Bytes, (long)source.BytesPerSecond, source.Failure?.Message))]);
            }

            report(progress);
        }

        public void End(ManifestPart part)
        {
            lock (_lock)
            {
                _before += part.Size;
                if (_last is null)
                    return;
                _fetchedBefore += _last.Present - (_presentAtFirst ?? 0);
                foreach (SourceProgress source in _last.Sources)
                    _bytesBefore[source.Name] = _bytesBefore.GetValueOrDefault(source.Name) + source.Bytes;
            }
        }
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
