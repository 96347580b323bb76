using Iroh.Base;
using Iroh.Base.Serialization;
using Iroh.Blobs;
using Iroh.Docs.Reconciliation;

namespace Iroh.Docs.Store;

/// <summary>
/// Documents in a directory: an SQLite database with a write-ahead log. What a call has stored survives the end of the process and, as far as the disk
/// keeps its word, the loss of power. Calls that insert at the same time share a transaction. One process per directory. Thread-safe.
/// </summary>
public sealed class DiskDocumentStore : IDocumentStore
{
    private const string DatabaseName = "docs.db";
    private const string LockName = "docs.lock";

    private readonly FileStream _lock;
    private readonly DocumentDatabase _database;
    private readonly EntryRows _rows;

    // Whoever has the gate uses the database.
    private readonly Lock _gate = new();
    private readonly Lock _waitingGate = new();

    // As many as there are threads that insert.
    private List<PendingInsert> _waiting = [];
    private bool _disposed;

    private DiskDocumentStore(FileStream lockFile, DocumentDatabase database)
    {
        _lock = lockFile;
        _database = database;
        _rows = new EntryRows(database);
    }

    /// <inheritdoc/>
    public AuthorId? DefaultAuthor => Use<AuthorId?>(() => FindDefaultAuthor());

    /// <summary>Opens the documents of a directory, or makes it.</summary>
    /// <exception cref="DocumentStoreInUseException">Another process, or another store of this one, has it open.</exception>
    /// <exception cref="DocumentStoreException">It cannot be opened.</exception>
    public static DiskDocumentStore Open(string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        FileStream? lockFile = null;
        try
        {
            // It holds secrets: nobody else may look inside.
            if (OperatingSystem.IsWindows())
                Directory.CreateDirectory(directory);
            else
                Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            lockFile = OpenLock(directory);
            return new DiskDocumentStore(lockFile, DocumentDatabase.Open(Path.Combine(directory, DatabaseName)));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            lockFile?.Dispose();
            throw new DocumentStoreException($"The documents in {directory} cannot be opened: {exception.Message}", exception);
        }
        catch
        {
            lockFile?.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public DocumentImport Import(DocumentCapability capability)
    {
        ArgumentNullException.ThrowIfNull(capability);
        return Change(() =>
        {
            DocumentCapability? present = FindCapability(capability.Id);
            if (present is not null && (present.CanWrite || !capability.CanWrite))
                return DocumentImport.Unchanged;
            _database.Run(
                "INSERT OR REPLACE INTO documents (id, secret) VALUES ($1, $2)",
                capability.Id.ToArray(), (object?)capability.Secret?.Seed.ToArray() ?? DBNull.Value);
            return present is null ? DocumentImport.Added : DocumentImport.Upgraded;
        });
    }

    /// <inheritdoc/>
    public DocumentCapability? TryGetCapability(NamespaceId document) => Use(() => FindCapability(document));

    /// <inheritdoc/>
    public IReadOnlyList<DocumentCapability> ListDocuments() =>
        Use(() => _database.Read("SELECT id, secret FROM documents ORDER BY id", ToCapability));

    /// <inheritdoc/>
    public bool Remove(NamespaceId document) => Change(() =>
    {
        byte[] id = document.ToArray();
        foreach (string table in (ReadOnlySpan<string>)["entries", "heads", "peers", "policies"])
            _database.Run($"DELETE FROM {table} WHERE document = $1", id);
        return _database.Run("DELETE FROM documents WHERE id = $1", id) > 0;
    });

    /// <inheritdoc/>
    public void ImportAuthor(Author author)
    {
        ArgumentNullException.ThrowIfNull(author);
        Change(() => _database.Run("INSERT OR IGNORE INTO authors (id, secret) VALUES ($1, $2)", author.Id.ToArray(), author.Seed.ToArray()));
    }

    /// <inheritdoc/>
    public Author? TryGetAuthor(AuthorId author) => Use(() => FindAuthor(author));

    /// <inheritdoc/>
    public IReadOnlyList<AuthorId> ListAuthors() =>
        Use(() => _database.Read("SELECT id FROM authors ORDER BY id", static row => new AuthorId(row.GetFieldValue<byte[]>(0))));

    /// <inheritdoc/>
    public bool DeleteAuthor(AuthorId author) => Change(() =>
    {
        if (FindDefaultAuthor() == author)
            throw new InvalidOperationException("The default author cannot be deleted. Choose another default author first.");
        return _database.Run("DELETE FROM authors WHERE id = $1", author.ToArray()) > 0;
    });

    /// <inheritdoc/>
    public void SetDefaultAuthor(AuthorId author) => Change(() =>
    {
        if (FindAuthor(author) is null)
            throw new InvalidOperationException($"The secret of author {author.ToShortString()} is not here. Import it first.");
        return _database.Run("UPDATE authors SET is_default = (id = $1)", author.ToArray());
    });

    /// <inheritdoc/>
    public IReadOnlyList<EntryInsert> Insert(NamespaceId document, IReadOnlyList<SignedEntry> entries)
    {
        ArgumentNullException.ThrowIfNull(entries);
        if (entries.FirstOrDefault(entry => !entry.Key.IsOf(document)) is { } stray)
            throw new ArgumentException($"The entry {stray} belongs to another document.", nameof(entries));
        var insert = new PendingInsert(document, entries);
        lock (_waitingGate)
            _waiting.Add(insert);
        lock (_gate)
        {
            // Whoever had the gate before may have taken this one along.
            if (!insert.IsDone)
                InsertWaiting();
        }

        return insert.Result;
    }

    /// <inheritdoc/>
    public SignedEntry? TryGet(NamespaceId document, AuthorId author, ReadOnlySpan<byte> key)
    {
        var name = new RecordKey(document, author, key);
        return UseDocument(document, () => _rows.Find(name));
    }

    /// <inheritdoc/>
    public IEnumerable<SignedEntry> Query(NamespaceId document, DocumentQuery query)
    {
        ArgumentNullException.ThrowIfNull(query);
        UseDocument(document, () => 0);
        return query.Select(Candidates(document, query));
    }

    /// <inheritdoc/>
    public IEntrySet Entries(NamespaceId document)
    {
        UseDocument(document, () => 0);
        return new DiskEntrySet(this, _rows, document);
    }

    /// <inheritdoc/>
    public AuthorHeads Heads(NamespaceId document) => UseDocument(document, () => _database.Fold(
        "SELECT author, timestamp FROM heads WHERE document = $1",
        AuthorHeads.Empty,
        static (heads, row) => heads.With(new AuthorId(row.GetFieldValue<byte[]>(0)), new EntryTimestamp(EntryRows.ToULong(row.GetInt64(1)))),
        document.ToArray()));

    /// <inheritdoc/>
    public DownloadPolicy GetDownloadPolicy(NamespaceId document) => UseDocument(document, () => _database.Fold(
        "SELECT policy FROM policies WHERE document = $1",
        DownloadPolicy.Everything,
        static (_, row) =>
        {
            var reader = new PostcardReader(row.GetFieldValue<byte[]>(0));
            return DownloadPolicy.TryRead(ref reader, out DownloadPolicy? policy)
                ? policy
                : throw new DocumentStoreException("A document's download policy is damaged. Set it again.");
        },
        document.ToArray()));

    /// <inheritdoc/>
    public void SetDownloadPolicy(NamespaceId document, DownloadPolicy policy)
    {
        ArgumentNullException.ThrowIfNull(policy);
        var writer = new PostcardWriter();
        policy.Write(writer);
        ChangeDocument(document, () => _database.Run(
            "INSERT OR REPLACE INTO policies (document, policy) VALUES ($1, $2)", document.ToArray(), writer.ToArray()));
    }

    /// <inheritdoc/>
    public void AddUsefulPeer(NamespaceId document, EndpointId peer) => ChangeDocument(document, () =>
    {
        byte[] id = document.ToArray();
        _database.Run(
            "INSERT OR REPLACE INTO peers (document, peer, used) VALUES ($1, $2, 1 + (SELECT coalesce(max(used), 0) FROM peers WHERE document = $1))",
            id, peer.Span.ToArray());
        return _database.Run(
            "DELETE FROM peers WHERE document = $1 AND peer NOT IN (SELECT peer FROM peers WHERE document = $1 ORDER BY used DESC LIMIT $2)",
            id, (long)IDocumentStore.UsefulPeersMax);
    });

    /// <inheritdoc/>
    public IReadOnlyList<EndpointId> UsefulPeers(NamespaceId document) => UseDocument(document, () => _database.Read(
        "SELECT peer FROM peers WHERE document = $1 ORDER BY used DESC",
        static row => EndpointId.FromBytes(row.GetFieldValue<byte[]>(0)),
        document.ToArray()));

    /// <inheritdoc/>
    public IReadOnlySet<BlobHash> ContentHashes() => Use(() =>
    {
        HashSet<BlobHash> hashes = [.. _database.Read("SELECT DISTINCT hash FROM entries", static row => new BlobHash(row.GetFieldValue<byte[]>(0)))];
        hashes.Remove(BlobHash.Empty);
        return hashes;
    });

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_disposed)
                return;
            _disposed = true;
            _database.Dispose();
            _lock.Dispose();
        }
    }

    private static FileStream OpenLock(string directory)
    {
        try
        {
            return new FileStream(Path.Combine(directory, LockName), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException exception) when (exception is not DirectoryNotFoundException)
        {
            throw new DocumentStoreInUseException(directory, exception);
        }
    }

    private static DocumentCapability ToCapability(Microsoft.Data.Sqlite.SqliteDataReader row) => row.IsDBNull(1)
        ? DocumentCapability.Read(new NamespaceId(row.GetFieldValue<byte[]>(0)))
        : DocumentCapability.Write(NamespaceSecret.FromSeed(row.GetFieldValue<byte[]>(1)));

    private DocumentCapability? FindCapability(NamespaceId document) =>
        _database.Read("SELECT id, secret FROM documents WHERE id = $1", ToCapability, document.ToArray()).FirstOrDefault();

    private Author? FindAuthor(AuthorId author) => _database.Read(
        "SELECT secret FROM authors WHERE id = $1", static row => Author.FromSeed(row.GetFieldValue<byte[]>(0)), author.ToArray()).FirstOrDefault();

    private AuthorId? FindDefaultAuthor() => _database.Fold<AuthorId?>(
        "SELECT id FROM authors WHERE is_default", null, static (_, row) => new AuthorId(row.GetFieldValue<byte[]>(0)));

    private IEnumerable<SignedEntry> Candidates(NamespaceId document, DocumentQuery query)
    {
        SignedEntry? last = null;
        List<SignedEntry> page;
        do
        {
            SignedEntry? after = last;
            page = Use(() => _rows.Page(document, query, after));
            foreach (SignedEntry entry in page)
                yield return last = entry;
        }
        while (page.Count == EntryRows.PageSize);
    }

    /// <summary>All inserts that wait, in one transaction. The gate is held.</summary>
    private void InsertWaiting()
    {
        List<PendingInsert> inserts;
        lock (_waitingGate)
        {
            inserts = _waiting;
            _waiting = [];
        }

        try
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _database.Transact(() =>
            {
                foreach (PendingInsert insert in inserts)
                    Insert(insert);
                return 0;
            });
            foreach (PendingInsert insert in inserts)
                insert.Complete(null);
        }
        catch (Exception exception)
        {
            foreach (PendingInsert insert in inserts)
                insert.Complete(exception);
        }
    }

    private void Insert(PendingInsert insert)
    {
        if (FindCapability(insert.Document) is null)
        {
            insert.IsDocumentMissing = true;
            return;
        }

        var view = new DiskEntrySet(this, _rows, insert.Document);
        foreach (SignedEntry entry in insert.Entries)
        {
            bool stored = CoverSearch.Find(view, entry) is null;
            int removed = 0;
            if (stored)
            {
                foreach (SignedEntry covered in _rows.Under(entry.Key).Where(present => EntryRules.Covers(entry, present)))
                {
                    _rows.Delete(covered.Key);
                    removed++;
                }

                _rows.Put(entry);
                RaiseHead(entry);
            }

            insert.Inserted.Add(new EntryInsert(stored, removed));
        }
    }

    private void RaiseHead(SignedEntry entry)
    {
        byte[] document = entry.Key.Document.ToArray(), author = entry.Key.Author.ToArray();
        ulong known = _database.Fold(
            "SELECT timestamp FROM heads WHERE document = $1 AND author = $2", 0UL, static (_, row) => EntryRows.ToULong(row.GetInt64(0)), document, author);
        if (entry.Record.Timestamp.Microseconds >= known)
        {
            _database.Run(
                "INSERT OR REPLACE INTO heads (document, author, timestamp) VALUES ($1, $2, $3)",
                document, author, EntryRows.ToLong(entry.Record.Timestamp.Microseconds));
        }
    }

    /// <summary>Reads the database; one at a time.</summary>
    internal T Use<T>(Func<T> read)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _database.Guard(read);
        }
    }

    /// <summary>Reads a document that has to be here.</summary>
    internal T UseDocument<T>(NamespaceId document, Func<T> read) =>
        Use(() => FindCapability(document) is null ? throw new DocumentMissingException(document) : read());

    private T Change<T>(Func<T> work) => Use(() => _database.Transact(work));

    private void ChangeDocument(NamespaceId document, Func<int> work) =>
        Change(() => FindCapability(document) is null ? throw new DocumentMissingException(document) : work());

    private sealed class PendingInsert(NamespaceId document, IReadOnlyList<SignedEntry> entries)
    {
        private Exception? _failure;

        internal NamespaceId Document { get; } = document;

        internal IReadOnlyList<SignedEntry> Entries { get; } = entries;

        internal List<EntryInsert> Inserted { get; } = [];

        internal bool IsDocumentMissing { get; set; }

        internal bool IsDone { get; private set; }

        internal IReadOnlyList<EntryInsert> Result
        {
            get
            {
                if (IsDocumentMissing)
                    throw new DocumentMissingException(Document);
                if (_failure is not null)
                    System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(_failure);
                return Inserted;
            }
        }

        internal void Complete(Exception? failure)
        {
            _failure = failure;
            IsDone = true;
        }
    }
}
