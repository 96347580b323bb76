using System.Diagnostics.CodeAnalysis;
using Blixard.Images.Blobs;
using Blixard.Images.Manifests;
using Iroh.Blobs;

namespace Blixard.Images;

/// <summary>
/// The images that are on this machine. An image is there when its mark <c>images/HASH</c> is, which is made last and taken away first; the
/// manifest and the parts are blobs. Thread-safe.
/// </summary>
public sealed class ImageStore
{
    private readonly Lock _lock = new();
    private readonly Dictionary<BlobHash, ImageManifest> _images = [];
    private readonly TimeProvider _time;

    private ImageStore(BlobStore blobs, TimeProvider time)
    {
        Blobs = blobs;
        _time = time;
    }

    /// <summary>The content.</summary>
    public BlobStore Blobs { get; }

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

    /// <summary>Opens a store, and makes it if there is none.</summary>
    /// <param name="directory">Its directory, nobody else's.</param>
    /// <param name="time">The clock for the time of creation and for rates.</param>
    /// <param name="options">Null = the defaults.</param>
    /// <exception cref="IOException">The directory cannot be used.</exception>
    public static ImageStore Open(string directory, TimeProvider time, BlobStoreOptions? options = null)
    {
        var store = new ImageStore(BlobStore.Open(directory, options), time);
        Directory.CreateDirectory(store.MarksDirectory);
        foreach (string file in Directory.GetFiles(store.MarksDirectory))
        {
            // A manifest that is gone or damaged takes its image with it; what is left is fetched again when somebody asks.
            if (BlobHash.TryParse(Path.GetFileName(file), out BlobHash hash) && store.TryReadManifest(hash, out ImageManifest? manifest))
                store._images.Add(hash, manifest);
            else
                File.Delete(file);
        }
        return store;
    }

    /// <summary>Packs an image: copies the files in, hashing on the way, and writes the manifest.</summary>
    /// <param name="files">What it consists of. File names in the image are those of the files; a number is put before those that come twice.</param>
    /// <param name="progress">Told after each MiB; null = nobody is.</param>
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
        var pins = new List<IDisposable>();
        bool isDone = false;
        try
        {
            var packed = new List<ManifestPart>();
            long before = 0;
            foreach ((ManifestPartKind kind, string path, string fileName) in parts)
            {
                void Report(long copied) =>
                    progress?.Report(new ImageProgress(fileName, before + copied, total, rate.Of(before + copied), ""));
                AddedBlob blob = await Blobs.AddFileAsync(path, Report, cancellationToken).ConfigureAwait(false);
                pins.Add(blob.Pin);
                packed.Add(new ManifestPart(kind, fileName, blob.Size, blob.Hash));
                before += blob.Size;
            }

            ImageManifest manifest = ImageManifest.Create(ContentOf(files, packed));
            Complete(manifest);
            isDone = true;
            return manifest;
        }
        finally
        {
            foreach (IDisposable pin in pins)
                pin.Dispose();
            if (!isDone)
                Collect(withUnfinished: false);
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
    public bool TryGetLocal(BlobHash image, [NotNullWhen(true)] out LocalImage? local)
    {
        local = null;
        if (!TryGet(image, out ImageManifest? manifest))
            return false;
        var paths = new List<string>();
        foreach (ManifestPart part in manifest.Parts)
        {
            if (!Blobs.TryGetPath(part.Hash, out string path))
                return false;
            paths.Add(path);
        }

        int disks = manifest.Parts.Count(static part => part.Kind == ManifestPartKind.Disk);
        bool hasInitramfs = manifest.Parts.Any(static part => part.Kind == ManifestPartKind.Initramfs);
        local = new LocalImage(manifest, paths[0], hasInitramfs ? paths[1] : null, paths[^disks..]);
        return true;
    }

    /// <summary>Keeps an image that is here, or still to come, from being removed until the result is disposed. Its parts are held by the
    /// image, once it is here.</summary>
    public IDisposable Pin(BlobHash image) => Blobs.Pin(image);

    /// <summary>Removes an image and the content that nothing else holds.</summary>
    /// <returns>False if it was not here.</returns>
    /// <exception cref="ImageInUseException">It is pinned.</exception>
    public bool Remove(BlobHash image)
    {
        lock (_lock)
        {
            if (!_images.ContainsKey(image))
                return false;
            if (Blobs.IsPinned(image))
                throw new ImageInUseException(image);
            File.Delete(MarkPath(image));
            DurableFiles.FlushDirectory(MarksDirectory);
            _images.Remove(image);
        }
        Collect(withUnfinished: false);
        return true;
    }

    /// <summary>Removes content that belongs to no image that is here and that nothing pins.</summary>
    /// <param name="withUnfinished">Also fetches that failed and wait to be asked for again.</param>
    /// <returns>Bytes that became free.</returns>
    public long Collect(bool withUnfinished)
    {
        lock (_lock)
        {
            var referenced = new HashSet<BlobHash>(_images.Keys);
            foreach (ImageManifest image in _images.Values)
                referenced.UnionWith(image.Parts.Select(static part => part.Hash));
            return Blobs.Collect(referenced.Contains, withUnfinished);
        }
    }

    /// <summary>Reads all of an image from the disk and hashes it. Damaged content is discarded, so that the next
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
            bool? isGood = await Blobs.VerifyAsync(part.Hash, cancellationToken).ConfigureAwait(false);
            if (isGood == true)
                continue;
            wrong.Add(part.FileName);
            if (isGood == false)
                Blobs.Discard(part.Hash);
        }
        return wrong;
    }

    /// <summary>Makes an image, all of whose parts are here and pinned by the caller, one of this machine's.</summary>
    internal void Complete(ImageManifest manifest)
    {
        AddedBlob blob = Blobs.Add(manifest.ToBytes());
        using (blob.Pin)
        {
            lock (_lock)
            {
                File.WriteAllBytes(MarkPath(manifest.Hash), []);
                DurableFiles.FlushDirectory(MarksDirectory);
                _images[manifest.Hash] = manifest;
            }
        }
    }

    /// <summary>Reads a manifest that is here as a blob, whether the rest of the image is or not.</summary>
    internal bool TryReadManifest(BlobHash hash, [NotNullWhen(true)] out ImageManifest? manifest)
    {
        manifest = null;
        if (!Blobs.TryGetPath(hash, out string path) || new FileInfo(path).Length > ImageManifest.LengthMax)
            return false;
        byte[] bytes = File.ReadAllBytes(path);
        if (ImageManifest.TryRead(bytes, out manifest, out _) && manifest.Hash == hash)
            return true;
        manifest = null;
        return false;
    }

    private string MarksDirectory => Path.Combine(Blobs.Root, "images");

    private string MarkPath(BlobHash image) => Path.Combine(MarksDirectory, image.ToString());

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
            Architecture = files.Architecture,
            KernelArguments = files.KernelArguments,
            Created = new DateTimeOffset(now.UtcTicks - (now.UtcTicks % TimeSpan.TicksPerSecond), TimeSpan.Zero),
            Labels = new SortedDictionary<string, string>(files.Labels.ToDictionary(), StringComparer.Ordinal),
            Parts = parts,
        };
    }
}
