using Iroh.Blobs;
using Iroh.Docs.Reconciliation;
using Microsoft.Data.Sqlite;

namespace Iroh.Docs.Store;

/// <summary>The entries of a <see cref="DocumentDatabase"/> as objects, and back. To be used by one at a time.</summary>
internal sealed class EntryRows(DocumentDatabase database)
{
    /// <summary>Entries that are read at once, so that nobody else waits long and no large document is held in memory.</summary>
    internal const int PageSize = 256;

    private const string Columns = "document, author, key, timestamp, length, hash, author_signature, document_signature";

    internal long Count(NamespaceId document) => database.Fold(
        "SELECT count(*) FROM entries WHERE document = $1", 0L, static (_, row) => row.GetInt64(0), document.ToArray());

    internal SignedEntry? First(NamespaceId document) => database.Read(
        $"SELECT {Columns} FROM entries WHERE document = $1 ORDER BY author, key LIMIT 1", ToEntry, document.ToArray()).FirstOrDefault();

    internal SignedEntry? Find(RecordKey name) => database.Read(
        $"SELECT {Columns} FROM entries WHERE document = $1 AND author = $2 AND key = $3", ToEntry, Names(name)).FirstOrDefault();

    internal SignedEntry? FindLast(RecordKey name) => database.Read(
        $"SELECT {Columns} FROM entries WHERE document = $1 AND author = $2 AND key <= $3 ORDER BY key DESC LIMIT 1", ToEntry, Names(name)).FirstOrDefault();

    /// <summary>A summary with the entries of a span added.</summary>
    internal RangeSummary Summarize(NamespaceId document, EntrySpan span, RangeSummary before) => span.IsEmpty ? before : database.Fold(
        $"SELECT fingerprint FROM entries WHERE document = $1 AND {EntrySpan.Condition}",
        before,
        static (summary, row) => summary.With(new EntryFingerprint(row.GetFieldValue<byte[]>(0))),
        span.Values(document));

    internal long Count(NamespaceId document, EntrySpan span) => span.IsEmpty ? 0 : database.Fold(
        $"SELECT count(*) FROM entries WHERE document = $1 AND {EntrySpan.Condition}", 0L, static (_, row) => row.GetInt64(0), span.Values(document));

    internal RecordKey? KeyAt(NamespaceId document, EntrySpan span, long position) => database.Read(
        $"SELECT author, key FROM entries WHERE document = $1 AND {EntrySpan.Condition} ORDER BY author, key LIMIT 1 OFFSET $6",
        row => new RecordKey(document, new AuthorId(row.GetFieldValue<byte[]>(0)), row.GetFieldValue<byte[]>(1)),
        [.. span.Values(document), position]).FirstOrDefault();

    /// <summary>The first page of a span.</summary>
    internal List<SignedEntry> Page(NamespaceId document, EntrySpan span) => span.IsEmpty ? [] : database.Read(
        $"SELECT {Columns} FROM entries WHERE document = $1 AND {EntrySpan.Condition} ORDER BY author, key LIMIT {PageSize}", ToEntry, span.Values(document));

    /// <summary>A page of a query's candidates: those after an entry, or the first ones.</summary>
    /// <param name="document">The document.</param>
    /// <param name="query">Its filters narrow the candidates where an index helps.</param>
    /// <param name="after">The last candidate of the page before.</param>
    internal List<SignedEntry> Page(NamespaceId document, DocumentQuery query, SignedEntry? after)
    {
        bool byKey = query.CandidateOrder == QueryOrder.KeyThenAuthor && query.Author is null;
        string order = (byKey, query.Descending) switch
        {
            (false, false) => "author, key",
            (false, true) => "author DESC, key DESC",
            (true, false) => "key, author",
            (true, true) => "key DESC, author DESC",
        };
        string condition = "document = $1";
        var values = new List<object> { document.ToArray() };
        if (query.Author is { } author)
            Add("author = ${0}", author.ToArray());
        if (query.Key is { } key)
        {
            byte[] start = key.Bytes.ToArray();
            Add(key.IsExact ? "key = ${0}" : "key >= ${0}", start);
            if (!key.IsExact && KeyOrder.AfterPrefix(start) is { } end)
                Add("key < ${0}", end);
        }

        if (after is not null)
        {
            byte[] lastKey = after.Key.Key.ToArray(), lastAuthor = after.Key.Author.ToArray();
            string comparison = query.Descending ? "<" : ">";
            Add(
                byKey ? $"(key, author) {comparison} (${{0}}, ${{1}})" : $"(author, key) {comparison} (${{0}}, ${{1}})",
                byKey ? [lastKey, lastAuthor] : [lastAuthor, lastKey]);
        }

        return database.Read(
            $"SELECT {Columns} FROM entries WHERE {condition} ORDER BY {order} LIMIT {PageSize}", ToEntry, [.. values]);

        void Add(string text, params object[] parameters)
        {
            condition += " AND " + string.Format(
                System.Globalization.CultureInfo.InvariantCulture, text, values.Count + 1, values.Count + 2);
            values.AddRange(parameters);
        }
    }

    /// <summary>The entries of the same author whose keys begin with (or are) this one's.</summary>
    internal List<SignedEntry> Under(RecordKey name)
    {
        byte[] key = name.Key.ToArray();
        return KeyOrder.AfterPrefix(key) is { } end
            ? database.Read(
                $"SELECT {Columns} FROM entries WHERE document = $1 AND author = $2 AND key >= $3 AND key < $4", ToEntry, [.. Names(name), end])
            : database.Read($"SELECT {Columns} FROM entries WHERE document = $1 AND author = $2 AND key >= $3", ToEntry, Names(name));
    }

    internal void Delete(RecordKey name) =>
        database.Run("DELETE FROM entries WHERE document = $1 AND author = $2 AND key = $3", Names(name));

    internal void Put(SignedEntry entry)
    {
        database.Run(
            $"INSERT OR REPLACE INTO entries ({Columns}, fingerprint) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            [
                .. Names(entry.Key), ToLong(entry.Record.Timestamp.Microseconds), ToLong(entry.Record.Length), entry.Record.Hash.ToArray(),
                entry.AuthorSignature.ToArray(), entry.DocumentSignature.ToArray(), entry.Fingerprint.Span.ToArray(),
            ]);
    }

    /// <summary>The database has signed numbers only: the bits are kept, and compared nowhere but here.</summary>
    internal static long ToLong(ulong number) => unchecked((long)number);

    internal static ulong ToULong(long number) => unchecked((ulong)number);

    private static object[] Names(RecordKey name) => [name.Document.ToArray(), name.Author.ToArray(), name.Key.ToArray()];

    private static SignedEntry ToEntry(SqliteDataReader row)
    {
        var name = new RecordKey(
            new NamespaceId(row.GetFieldValue<byte[]>(0)), new AuthorId(row.GetFieldValue<byte[]>(1)), row.GetFieldValue<byte[]>(2));
        var record = new EntryRecord(
            ToULong(row.GetInt64(4)), new BlobHash(row.GetFieldValue<byte[]>(5)), new EntryTimestamp(ToULong(row.GetInt64(3))));
        return new SignedEntry(name, record, row.GetFieldValue<byte[]>(6), row.GetFieldValue<byte[]>(7));
    }
}
