using System.Diagnostics.CodeAnalysis;
using Blixard.Images.Manifests;
using Iroh.Blobs;
using Iroh.Blobs.Store;

namespace Blixard.Images;

/// <summary>
/// The images that are on this machine. An image is here when the tag <c>image/HASH</c> holds its <see cref="ImageCollection"/>; the tag is
/// made last and taken away first. Thread-safe.
/// </summary>
public sealed class ImageStore
{
    private const string ImageTags = "image/";
    private const string PullTags = "pull/";

    private readonly Lock _lock = new();
    private readonly Dictionary<BlobHash, ImageManifest> _images = [];
    private readonly Dictionary<BlobHash, int> _pins = [];
    private readonly DiskBlobStore _blobs;
    private readonly string _smallFiles;
    private readonly TimeProvider _time;

    private ImageStore(DiskBlobStore blobs, string smallFiles, TimeProvider time) => (_blobs, _smallFiles, _time) = (blobs, smallFiles, time);

    /// <summary>The content, of images and of whatever else shares the store.</summary>
    public IBlobStore Blobs => _blobs;

    /// <summary>What else is to stay when content is collected, beside images and what the store itself knows; null: nothing.</summary>
    public Func<CancellationToken, ValueTask<IReadOnlySet<BlobHash>>>? AlsoLive { get; set; }

    /// <summary>The images that are here, ordered by name, tag and age.</summary>
    public IReadOnlyList<ImageManifest> Images
    {
        get
        {
            lock (_lock)
            {
                return
                [
                    .. _images.Values.OrderBy(static image => image.Name, StringComparer.Ordinal)
                        .ThenBy(static image => image.Tag, StringComparer.Ordinal)
                        .ThenBy(static image => image.Created)
                        .ThenBy(static image => image.Hash),
                ];
            }
        }
    }

    /// <summary>The images of a store of content.</summary>
    /// <param name="blobs">Stays the caller's.</param>
    /// <param name="directory">A directory of its own, made if it is not there, for files that the store of content keeps in its index.</param>
    /// <param name="time">The clock for the time of creation and for rates.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <exception cref="IOException">The directory cannot be used.</exception>
    public static async Task<ImageStore> OpenAsync(DiskBlobStore blobs, string directory, TimeProvider time, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(blobs);
        ArgumentException.ThrowIfNullOrEmpty(directory);
        // Made again when they are asked for.
        if (Directory.Exists(directory))
            Directory.Delete(directory, recursive: true);
        Directory.CreateDirectory(directory);
        var store = new ImageStore(blobs, directory, time);
        foreach (BlobTag tag in blobs.ListTags(ImageTags))
        {
            // A manifest that is gone or damaged takes its image with it; what is left is fetched again when somebody asks.
            if (BlobHash.TryParse(tag.Name[ImageTags.Length..], out BlobHash hash)
                && await store.TryReadManifestAsync(hash, cancellationToken).ConfigureAwait(false) is { } manifest)
                store._images.Add(hash, manifest);
            else
                blobs.DeleteTag(tag.Name);
        }

        return store;
    }

    /// <summary>Packs an image: copies the files in, hashing on the way, and writes the manifest.</summary>
    /// <param name="files">What it consists of. File names in the image are those of the files; a number is put before those that come twice.</param>
    /// <param name="progress">Told now and then; null = nobody is.</param>
    /// <param name="cancellationToken">Gives it up; what was copied is removed.</param>
    /// <returns>The image's manifest.</returns>
    /// <exception cref="InvalidManifestException">A name or another text breaks a rule.</exception>
    /// <exception cref="StoreFullException">There is no room.</exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    public async Task<ImageManifest> AddAsync(ImageFiles files, IProgress<ImageProgress>? progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(files);
        List<(ManifestPartKind Kind, string Path, string FileName)> parts = PartsOf(files);
        CheckTexts(files, parts);
        long total = parts.Sum(static part => new FileInfo(part.Path).Length);
        var rate = new TransferRate(_time);
        var held = new List<TempTag>();
        bool isDone = false;
        try
        {
            var packed = new List<ManifestPart>();
            long before = 0;
            foreach ((ManifestPartKind kind, string path, string fileName) in parts)
            {
                void Report(long copied) => progress?.Report(new ImageProgress(fileName, before + copied, total, rate.Of(before + copied), []));
                TempTag blob = await _blobs.AddFileAsync(Path.GetFullPath(path), ImportMode.Copy, BlobFormat.Raw, Report, cancellationToken).ConfigureAwait(false);
                held.Add(blob);
                packed.Add(new ManifestPart(kind, fileName, blob.Size, blob.Hash));
                before += blob.Size;
            }

            ImageManifest manifest = ImageManifest.Create(ContentOf(files, packed));
            await CompleteAsync(manifest, cancellationToken).ConfigureAwait(false);
            isDone = true;
            return manifest;
        }
        finally
        {
            foreach (TempTag tag in held)
                tag.Dispose();
            if (!isDone)
                await CollectAsync(withUnfinished: false, CancellationToken.None).ConfigureAwait(false);
        }
    }

    /// <summary>The image's manifest, if it is here.</summary>
    public bool TryGet(BlobHash image, [NotNullWhen(true)] out ImageManifest? manifest)
    {
        lock (_lock)
            return _images.TryGetValue(image, out manifest);
    }

    /// <summary>Looks an image up by what it was packed as, or by hash. Of several with one name the youngest is taken.</summary>
    public bool TryFind(ImageReference reference, [NotNullWhen(true)] out ImageManifest? manifest)
    {
        ArgumentNullException.ThrowIfNull(reference);
        if (reference.Hash is { } hash)
            return TryGet(hash, out manifest);
        manifest = Images.LastOrDefault(image => image.Name == reference.Name && image.Tag == reference.Tag);
        return manifest is not null;
    }

    /// <summary>The image's files for a VM, if all of them are here and as long as they were. Pin the image first, and keep it pinned as
    /// long as the files are used.</summary>
    /// <exception cref="IOException">A file that the index holds cannot be written out.</exception>
    public async Task<LocalImage?> TryGetLocalAsync(BlobHash image, CancellationToken cancellationToken)
    {
        if (!TryGet(image, out ImageManifest? manifest))
            return null;
        var paths = new List<string>();
        foreach (ManifestPart part in manifest.Parts)
        {
            if (await TryGetPathAsync(part, cancellationToken).ConfigureAwait(false) is not { } path)
                return null;
            paths.Add(path);
        }

        int disks = manifest.Parts.Count(static part => part.Kind == ManifestPartKind.Disk);
        bool hasInitramfs = manifest.Parts.Any(static part => part.Kind == ManifestPartKind.Initramfs);
        return new LocalImage(manifest, paths[0], hasInitramfs ? paths[1] : null, paths[^disks..]);
    }

    /// <summary>Keeps an image that is here, or still to come, from being removed until the result is disposed.</summary>
    public IDisposable Pin(BlobHash image)
    {
        lock (_lock)
            _pins[image] = _pins.GetValueOrDefault(image) + 1;
        return new ImagePin(this, image);
    }

    /// <summary>Removes an image and the content that nothing else holds.</summary>
    /// <returns>False if it was not here.</returns>
    /// <exception cref="ImageInUseException">It is pinned.</exception>
    public async Task<bool> RemoveAsync(BlobHash image, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (_pins.ContainsKey(image))
                throw new ImageInUseException(image);
            if (!_images.Remove(image))
                return false;
            _blobs.DeleteTag(ImageTags + image);
        }

        await CollectAsync(withUnfinished: false, cancellationToken).ConfigureAwait(false);
        return true;
    }

    /// <summary>Removes content that belongs to no image that is here and that nothing holds.</summary>
    /// <param name="withUnfinished">Also fetches that failed and wait to be asked for again.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    /// <returns>Bytes that became free.</returns>
    public async Task<long> CollectAsync(bool withUnfinished, CancellationToken cancellationToken)
    {
        if (withUnfinished)
            ForgetPulls(static _ => false);
        return (await _blobs.CollectGarbageAsync(AlsoLive, cancellationToken).ConfigureAwait(false)).FreedBytes;
    }

    /// <summary>Lets unfinished fetches go, so that what came of them is collected; never those that run or are pinned.</summary>
    /// <param name="isWanted">Whether an image may still be asked for.</param>
    public void ForgetPulls(Func<BlobHash, bool> isWanted)
    {
        ArgumentNullException.ThrowIfNull(isWanted);
        foreach (BlobTag tag in _blobs.ListTags(PullTags))
        {
            bool isKnown = BlobHash.TryParse(tag.Name[PullTags.Length..], out BlobHash image);
            if (isKnown && isWanted(image))
                continue;
            lock (_lock)
            {
                if (!isKnown || !_pins.ContainsKey(image))
                    _blobs.DeleteTag(tag.Name);
            }
        }
    }

    /// <summary>Reads all of an image from the disk and hashes it. What is wrong is given up, so that the next
    /// <see cref="P2pImageStore.EnsureAsync"/> fetches it again.</summary>
    /// <param name="image">An image that is here.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    /// <returns>The file names of the parts that are missing or were damaged.</returns>
    public async Task<IReadOnlyList<string>> VerifyAsync(BlobHash image, CancellationToken cancellationToken)
    {
        var wrong = new List<string>();
        if (!TryGet(image, out ImageManifest? manifest))
            return wrong;
        using IDisposable pin = Pin(image);
        foreach (ManifestPart part in manifest.Parts)
        {
            if (!await IsSoundAsync(part, cancellationToken).ConfigureAwait(false))
                wrong.Add(part.FileName);
        }

        return wrong;
    }

    /// <summary>Makes an image, all of whose parts are here and held by the caller, one of this machine's.</summary>
    internal async Task CompleteAsync(ImageManifest manifest, CancellationToken cancellationToken)
    {
        ImageCollection collection = ImageCollection.Of(manifest);
        using TempTag bytes = await _blobs.AddBytesAsync(manifest.ToBytes(), BlobFormat.Raw, cancellationToken).ConfigureAwait(false);
        using TempTag names = await _blobs.AddBytesAsync(collection.Names, BlobFormat.Raw, cancellationToken).ConfigureAwait(false);
        using TempTag sequence = await _blobs.AddBytesAsync(collection.Sequence, BlobFormat.HashSequence, cancellationToken).ConfigureAwait(false);
        lock (_lock)
        {
            _blobs.SetTag(ImageTags + manifest.Hash, collection.Content);
            _images[manifest.Hash] = manifest;
        }

        _blobs.DeleteTag(PullTags + manifest.Hash);
    }

    /// <summary>Notes that an image is being fetched, so that what has come of it stays, also through a restart, until room is needed.</summary>
    internal async Task BeginPullAsync(ImageManifest manifest, CancellationToken cancellationToken)
    {
        ImageCollection collection = ImageCollection.Of(manifest);
        using TempTag names = await _blobs.AddBytesAsync(collection.Names, BlobFormat.Raw, cancellationToken).ConfigureAwait(false);
        using TempTag sequence = await _blobs.AddBytesAsync(collection.Sequence, BlobFormat.HashSequence, cancellationToken).ConfigureAwait(false);
        _blobs.SetTag(PullTags + manifest.Hash, collection.Content);
    }

    /// <summary>Reads a manifest that is here as a blob, whether the rest of the image is or not; null if it is not, or is none.</summary>
    internal async Task<ImageManifest?> TryReadManifestAsync(BlobHash hash, CancellationToken cancellationToken)
    {
        if (_blobs.GetStatus(hash) is not { IsComplete: true, Size: <= ImageManifest.LengthMax })
            return null;
        try
        {
            using IBlobContent? content = _blobs.TryOpen(hash);
            if (content is null)
                return null;
            byte[] bytes = new byte[content.Size];
            await using (Stream stream = content.OpenStream())
                await stream.ReadExactlyAsync(bytes, cancellationToken).ConfigureAwait(false);
            return ImageManifest.TryRead(bytes, out ImageManifest? manifest, out _) && manifest.Hash == hash ? manifest : null;
        }
        catch (BlobStoreException)
        {
            return null;
        }
    }

    private static List<(ManifestPartKind Kind, string Path, string FileName)> PartsOf(ImageFiles files)
    {
        var parts = new List<(ManifestPartKind Kind, string Path, string FileName)>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        void Take(ManifestPartKind kind, string path)
        {
            string name = Path.GetFileName(path);
            for (int number = 1; !names.Add(name); number++)
                name = $"{number}-{Path.GetFileName(path)}";
            parts.Add((kind, path, name));
        }

        Take(ManifestPartKind.Kernel, files.KernelPath);
        if (files.InitramfsPath is { } initramfs)
            Take(ManifestPartKind.Initramfs, initramfs);
        foreach (string disk in files.DiskPaths)
            Take(ManifestPartKind.Disk, disk);
        return parts;
    }

    // QEMU wants files; what is small is in the store's index and is written out once.
    private async Task<string?> TryGetPathAsync(ManifestPart part, CancellationToken cancellationToken)
    {
        if (_blobs.GetStatus(part.Hash) is not { IsComplete: true } status || status.Size != part.Size)
            return null;
        string small = Path.Combine(_smallFiles, part.Hash.ToString());
        try
        {
            if (_blobs.TryGetPath(part.Hash) is { } path)
                return path;
            if (!File.Exists(small))
                await _blobs.ExportAsync(part.Hash, small, cancellationToken: cancellationToken).ConfigureAwait(false);
            return small;
        }
        catch (BlobStoreException)
        {
            return null;
        }
    }

    private async Task<bool> IsSoundAsync(ManifestPart part, CancellationToken cancellationToken)
    {
        try
        {
            using IBlobContent? content = _blobs.TryOpen(part.Hash);
            if (content is null || content.Size != part.Size)
                return false;
            byte[] run = new byte[VerifyRunLength];
            for (long offset = 0; offset < content.Size;)
            {
                int read = await content.ReadGroupsAsync(offset, run, cancellationToken).ConfigureAwait(false);
                if (read == 0)
                    return false;
                offset += read;
            }

            return true;
        }
        catch (BlobStoreException)
        {
            return false;
        }
    }

    // A run that is read and hashed at once; longer ones gain nothing.
    private const int VerifyRunLength = 1024 * 1024;

    // All that can be wrong is said before gigabytes are copied: a manifest is made with sizes and hashes that are good.
    private void CheckTexts(ImageFiles files, List<(ManifestPartKind Kind, string Path, string FileName)> parts) =>
        ImageManifest.Create(ContentOf(files, [.. parts.Select(static part => new ManifestPart(part.Kind, part.FileName, 1, default))]));

    private ManifestContent ContentOf(ImageFiles files, IReadOnlyList<ManifestPart> parts)
    {
        DateTimeOffset now = _time.GetUtcNow();
        return new ManifestContent
        {
            Name = files.Name,
            Tag = files.Tag,
            Kind = files.Kind,
            Architecture = files.Architecture,
            KernelArguments = files.KernelArguments,
            Created = new DateTimeOffset(now.UtcTicks - (now.UtcTicks % TimeSpan.TicksPerSecond), TimeSpan.Zero),
            Labels = new SortedDictionary<string, string>(files.Labels.ToDictionary(), StringComparer.Ordinal),
            Parts = parts,
        };
    }

    private void Unpin(BlobHash image)
    {
        lock (_lock)
        {
            if (--_pins[image] == 0)
                _pins.Remove(image);
        }
    }

    private sealed class ImagePin(ImageStore store, BlobHash image) : IDisposable
    {
        private bool _isDisposed;

        public void Dispose()
        {
            if (!Interlocked.Exchange(ref _isDisposed, true))
                store.Unpin(image);
        }
    }
}
