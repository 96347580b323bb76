using Iroh.Docs.Reconciliation;

namespace Iroh.Docs.Store;

/// <summary>A document's entries in a <see cref="DiskDocumentStore"/> as they are at each call. Thread-safe.</summary>
internal sealed class DiskEntrySet(DiskDocumentStore store, EntryRows rows, NamespaceId document) : IEntrySet
{
    public RecordKey? FirstKey => store.UseDocument(document, () => rows.First(document))?.Key;

    public long Count => store.UseDocument(document, () => rows.Count(document));

    public SignedEntry? Find(RecordKey key) => key.IsOf(document) ? store.Use(() => rows.Find(key)) : null;

    public SignedEntry? FindLast(RecordKey key) => key.IsOf(document) ? store.Use(() => rows.FindLast(key)) : null;

    public RangeSummary Summarize(RecordRange range)
    {
        RangeSummary summary = RangeSummary.Empty;
        foreach (EntrySpan span in EntrySpan.Of(document, range))
        {
            RangeSummary before = summary;
            summary = store.Use(() => rows.Summarize(document, span, before));
        }

        return summary;
    }

    public IEnumerable<SignedEntry> Entries(RecordRange range)
    {
        foreach (EntrySpan whole in EntrySpan.Of(document, range))
        {
            EntrySpan span = whole;
            List<SignedEntry> page;
            do
            {
                EntrySpan next = span;
                page = store.Use(() => rows.Page(document, next));
                foreach (SignedEntry entry in page)
                    yield return entry;
                if (page.Count > 0)
                    span = span.After(page[^1]);
            }
            while (page.Count == EntryRows.PageSize);
        }
    }

    public RecordKey? KeyAt(RecordRange range, long position)
    {
        foreach (EntrySpan span in EntrySpan.Of(document, range))
        {
            (long count, RecordKey? key) = store.Use(() =>
            {
                long inside = rows.Count(document, span);
                return (inside, position < inside ? rows.KeyAt(document, span, position) : null);
            });
            if (key is not null)
                return key;
            position -= count;
        }

        return null;
    }
}
