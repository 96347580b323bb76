using System.Threading.Channels;
using Iroh.Blobs;
using Iroh.Blobs.Store;
using Iroh.Docs;

namespace Blixard.Images.Catalogue;

/// <summary>
/// A catalogue in a document: its entries as a snapshot that follows them, and what this node says in it. Thread-safe. Contents of entries that
/// have not arrived are read when they do.
/// </summary>
public sealed class CatalogueDocument : IAsyncDisposable
{
    // Many entries at once, as in a first sync, are read as one.
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    private readonly Document _document;
    private readonly IBlobStore _blobs;
    private readonly AuthorId _author;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly Channel<bool> _due = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly CancellationTokenSource _stopping = new();
    private Task _following = Task.CompletedTask;
    private CatalogueSnapshot _current = CatalogueSnapshot.Empty;

    private CatalogueDocument(Document document, IBlobStore blobs, AuthorId author, TimeProvider time) =>
        (_document, _blobs, _author, _time) = (document, blobs, author, time);

    /// <summary>Raised, on any thread, after <see cref="Current"/> has changed.</summary>
    public event Action? Changed;

    /// <summary>The catalogue as the entries that are here say it.</summary>
    public CatalogueSnapshot Current => Volatile.Read(ref _current);

    /// <summary>Reads a document, and follows it from now on.</summary>
    /// <param name="document">Stays the caller's; who syncs it decides about that.</param>
    /// <param name="blobs">Has the contents of its entries.</param>
    /// <param name="author">Who says what this node says; its secret is with the document.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    public static async Task<CatalogueDocument> OpenAsync(
        Document document, IBlobStore blobs, AuthorId author, TimeProvider time, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(document);
        ArgumentNullException.ThrowIfNull(blobs);
        var catalogue = new CatalogueDocument(document, blobs, author, time);
        IAsyncEnumerator<DocumentEvent> events = document.Subscribe(catalogue._stopping.Token).GetAsyncEnumerator(catalogue._stopping.Token);
        await catalogue.ReadAsync(cancellationToken).ConfigureAwait(false);
        catalogue._following = Task.Run(() => catalogue.FollowAsync(events), CancellationToken.None);
        return catalogue;
    }

    /// <summary>Says what a name stands for.</summary>
    /// <exception cref="NameTakenException">This node knows the name for other content.</exception>
    /// <exception cref="NewerNameException">What another node said of the name is newer by its clock.</exception>
    public async Task AddAsync(CatalogueImage image, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(image);
        byte[] content = image.ToBytes();
        await ChangeAsync(async () =>
        {
            if (Current.Images.FirstOrDefault(known => known.Reference == image.Reference) is { } known && known.Hash != image.Hash)
                throw new NameTakenException(image.Reference);
            await _document.SetBytesAsync(_author, CatalogueKey.OfImage(image.Name, image.Tag), content, cancellationToken).ConfigureAwait(false);
            return true;
        }, cancellationToken).ConfigureAwait(false);
        if (Current.Images.All(known => known.Reference != image.Reference || known.Hash != image.Hash))
            throw new NewerNameException(image.Reference);
    }

    /// <summary>Takes a name away, whoever gave it.</summary>
    /// <returns>False if nobody did.</returns>
    /// <exception cref="NewerNameException">What another node said of the name is newer by its clock.</exception>
    public async Task<bool> RemoveAsync(string name, string tag, CancellationToken cancellationToken = default)
    {
        bool isKnown = false;
        await ChangeAsync(() =>
        {
            isKnown = Current.Images.Any(known => known.Name == name && known.Tag == tag);
            if (isKnown)
                _document.Delete(_author, CatalogueKey.OfImage(name, tag));
            return Task.FromResult(isKnown);
        }, cancellationToken).ConfigureAwait(false);
        if (Current.Images.Any(known => known.Name == name && known.Tag == tag))
            throw new NewerNameException($"{name}:{tag}");
        return isKnown;
    }

    /// <summary>Makes the names of an author exactly these: says those that are new or different, and takes back what is gone.</summary>
    /// <param name="names">Who says them; its secret is with the document. Several nodes may share it, as what they say is the same.</param>
    /// <param name="images">All images.</param>
    /// <param name="cancellationToken">Gives it up; what was said until then stays.</param>
    /// <exception cref="Manifests.InvalidManifestException">An image breaks a rule.</exception>
    public async Task MirrorAsync(AuthorId names, IEnumerable<CatalogueImage> images, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(images);
        var wanted = images.ToDictionary(
            static image => image.Reference, static image => (Key: CatalogueKey.OfImage(image.Name, image.Tag), Content: image.ToBytes()), StringComparer.Ordinal);
        await ChangeAsync(async () =>
        {
            var query = new DocumentQuery { Author = names, Key = KeyFilter.Prefix(System.Text.Encoding.ASCII.GetBytes(CatalogueKey.ImagePrefix)) };
            bool isChanged = false;
            foreach (SignedEntry entry in _document.Query(query).ToArray())
            {
                if (!CatalogueKey.TryReadImage(entry.Key.Key.Span, out string? name, out string? tag) || !wanted.TryGetValue($"{name}:{tag}", out var image))
                    isChanged |= _document.Delete(names, entry.Key.Key.Span) > 0;
                else if (entry.ContentHash == BlobHash.Of(image.Content))
                    wanted.Remove($"{name}:{tag}");
            }

            foreach ((byte[] key, byte[] content) in wanted.Values)
                await _document.SetBytesAsync(names, key, content, cancellationToken).ConfigureAwait(false);
            return isChanged || wanted.Count > 0;
        }, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Says which images this node has all of, and takes back what it said of others.</summary>
    /// <param name="self">This node.</param>
    /// <param name="here">The hashes of their manifests.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    public async Task HoldAsync(CatalogueHolder self, IReadOnlySet<BlobHash> here, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(self);
        ArgumentNullException.ThrowIfNull(here);
        byte[] content = self.ToBytes();
        BlobHash hash = BlobHash.Of(content);
        await ChangeAsync(async () =>
        {
            var query = new DocumentQuery { Author = _author, Key = KeyFilter.Prefix(System.Text.Encoding.ASCII.GetBytes(CatalogueKey.HolderPrefix)) };
            var said = new HashSet<BlobHash>();
            bool isChanged = false;
            foreach (SignedEntry entry in _document.Query(query).ToArray())
            {
                if (!CatalogueKey.TryReadHolder(entry.Key.Key.Span, out BlobHash image) || !here.Contains(image))
                    isChanged |= _document.Delete(_author, entry.Key.Key.Span) > 0;
                else if (entry.ContentHash == hash)
                    said.Add(image);
            }

            BlobHash[] news = [.. here.Where(image => !said.Contains(image))];
            foreach (BlobHash image in news)
                await _document.SetBytesAsync(_author, CatalogueKey.OfHolder(image), content, cancellationToken).ConfigureAwait(false);
            return isChanged || news.Length > 0;
        }, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Follows no more. The document stays.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _following.ConfigureAwait(false);
        _stopping.Dispose();
    }

    // The change says whether there was anything to change.
    private async Task ChangeAsync(Func<Task<bool>> change, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (!await change().ConfigureAwait(false))
                return;
            await ReadHeldAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _turn.Release();
        }

        Changed?.Invoke();
    }

    private async Task FollowAsync(IAsyncEnumerator<DocumentEvent> events)
    {
        Task reading = ReadWhenDueAsync();
        try
        {
            await using (events.ConfigureAwait(false))
            {
                while (await events.MoveNextAsync().ConfigureAwait(false))
                {
                    if (events.Current is DocumentEvent.InsertRemote or DocumentEvent.ContentReady or DocumentEvent.Lagged)
                        _due.Writer.TryWrite(true);
                }
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // Disposed.
        }

        _due.Writer.Complete();
        await reading.ConfigureAwait(false);
    }

    private async Task ReadWhenDueAsync()
    {
        try
        {
            while (await _due.Reader.WaitToReadAsync(_stopping.Token).ConfigureAwait(false))
            {
                await Task.Delay(Pause, _time, _stopping.Token).ConfigureAwait(false);
                _due.Reader.TryRead(out _);
                await ReadAsync(_stopping.Token).ConfigureAwait(false);
                Changed?.Invoke();
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // Disposed.
        }
    }

    private async Task ReadAsync(CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await ReadHeldAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _turn.Release();
        }
    }

    private async Task ReadHeldAsync(CancellationToken cancellationToken)
    {
        var rows = new List<CatalogueRow>();
        foreach (SignedEntry entry in _document.Query(new DocumentQuery { IncludeEmpty = true }).ToArray())
        {
            ReadOnlyMemory<byte>? content = entry.IsEmpty ? ReadOnlyMemory<byte>.Empty : await TryReadAsync(entry, cancellationToken).ConfigureAwait(false);
            rows.Add(new CatalogueRow(entry.Key.Key, entry.Key.Author.ToString(), entry.Record.Timestamp.Microseconds, content));
        }

        Volatile.Write(ref _current, CatalogueSnapshot.Read(rows));
    }

    private async Task<ReadOnlyMemory<byte>?> TryReadAsync(SignedEntry entry, CancellationToken cancellationToken)
    {
        // What is longer is no entry of a catalogue: then its key says nothing.
        if (entry.ContentLength > CatalogueImage.LengthMax || !_blobs.GetStatus(entry.ContentHash).IsComplete)
            return null;
        try
        {
            using IBlobContent? content = _blobs.TryOpen(entry.ContentHash);
            if (content is null || content.Size > CatalogueImage.LengthMax)
                return null;
            byte[] bytes = new byte[content.Size];
            await using Stream stream = content.OpenStream();
            await stream.ReadExactlyAsync(bytes, cancellationToken).ConfigureAwait(false);
            return bytes;
        }
        catch (BlobStoreException)
        {
            return null;
        }
    }
}

/// <summary>A name stands for other content already.</summary>
public sealed class NameTakenException : ImageException
{
    internal NameTakenException(string reference)
        : base($"the image {reference} exists with other content; choose another tag, or remove it first")
    {
    }
}

/// <summary>The clocks of two nodes disagree: what this node says of a name now is older than what another has said before.</summary>
public sealed class NewerNameException : ImageException
{
    internal NewerNameException(string reference)
        : base($"what another node said of the image {reference} is newer by its clock than what this node says now; set the clocks, and try again")
    {
    }
}
