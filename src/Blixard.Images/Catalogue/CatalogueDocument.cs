using System.Text;
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

    /// <summary>Makes the names in the document exactly these, whoever said others: says those that are new or different, and takes back what is
    /// gone. What others said by a clock that is ahead of this node's is outdone by an entry just after theirs.</summary>
    /// <param name="names">Who says them; its secret is with the document. Several nodes may share it, as what they say is the same.</param>
    /// <param name="images">All images.</param>
    /// <param name="cancellationToken">Gives it up; what was said until then stays.</param>
    /// <exception cref="Manifests.InvalidManifestException">An image breaks a rule.</exception>
    /// <exception cref="NewerEntryException">An entry is so far in the future that peers would not take a later one; all other names are said.</exception>
    public async Task MirrorAsync(AuthorId names, IEnumerable<CatalogueImage> images, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(images);
        var wanted = images.ToDictionary(static image => image.Reference, static image => image.ToBytes(), StringComparer.Ordinal);
        NewerEntryException? refused = null;
        await ChangeAsync(async () =>
        {
            bool isChanged = false;
            foreach ((string name, string tag, byte[]? content, SignedEntry? after) in ChangesTo(wanted))
            {
                byte[] key = CatalogueKey.OfImage(name, tag);
                try
                {
                    if (content is null)
                        _document.Delete(names, key, after);
                    else
                        await _document.SetBytesAsync(names, key, content, after, cancellationToken).ConfigureAwait(false);
                    isChanged = true;
                }
                catch (NewerEntryException e)
                {
                    refused = e;
                }
            }

            return isChanged;
        }, cancellationToken).ConfigureAwait(false);
        if (refused is not null)
            throw refused;
    }

    /// <summary>Takes back what authors said of what they hold, as their nodes are members no more.</summary>
    /// <param name="gone">Their secrets are with the document.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <exception cref="NewerEntryException">An entry is so far in the future that peers would not take a later one.</exception>
    public Task ForgetHoldersAsync(IReadOnlyList<AuthorId> gone, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(gone);
        return ChangeAsync(() =>
        {
            int removed = 0;
            foreach (AuthorId author in gone.Where(author => _document.Query(EntriesOf(CatalogueKey.HolderPrefix, author)).Any()))
                removed += _document.Delete(author, Encoding.ASCII.GetBytes(CatalogueKey.HolderPrefix));
            return Task.FromResult(removed > 0);
        }, cancellationToken);
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
            var said = new HashSet<BlobHash>();
            bool isChanged = false;
            foreach (SignedEntry entry in _document.Query(EntriesOf(CatalogueKey.HolderPrefix, _author)).ToArray())
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

    // What must be said (or, without content, taken back), and after when, so that the newest entries of all authors say what is wanted.
    private List<(string Name, string Tag, byte[]? Content, SignedEntry? After)> ChangesTo(Dictionary<string, byte[]> wanted)
    {
        var newest = new SortedDictionary<string, (CatalogueRow Row, SignedEntry Entry)>(StringComparer.Ordinal);
        foreach (SignedEntry entry in _document.Query(EntriesOf(CatalogueKey.ImagePrefix) with { IncludeEmpty = true }))
        {
            if (!CatalogueKey.TryReadImage(entry.Key.Key.Span, out string? name, out string? tag))
                continue;
            CatalogueRow row = RowOf(entry, null);
            if (!newest.TryGetValue($"{name}:{tag}", out var known) || row.IsNewerThan(known.Row))
                newest[$"{name}:{tag}"] = (row, entry);
        }

        var changes = new List<(string, string, byte[]?, SignedEntry?)>();
        foreach (string reference in newest.Keys.Union(wanted.Keys))
        {
            SignedEntry? said = newest.TryGetValue(reference, out var known) ? known.Entry : null;
            byte[]? content = wanted.GetValueOrDefault(reference);
            bool isSaid = content is null ? said is not { IsEmpty: false } : said?.ContentHash == BlobHash.Of(content);
            int colon = reference.IndexOf(':', StringComparison.Ordinal);
            if (!isSaid)
                changes.Add((reference[..colon], reference[(colon + 1)..], content, said));
        }

        return changes;
    }

    private static DocumentQuery EntriesOf(string prefix, AuthorId? author = null) => new() { Author = author, Key = KeyFilter.Prefix(Encoding.ASCII.GetBytes(prefix)) };

    private static CatalogueRow RowOf(SignedEntry entry, ReadOnlyMemory<byte>? content) =>
        new(entry.Key.Key, entry.Key.Author.ToString(), entry.Record.Timestamp.Microseconds, content);

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
            rows.Add(RowOf(entry, content));
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
