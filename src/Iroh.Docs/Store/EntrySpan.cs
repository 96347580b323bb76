using Iroh.Docs.Reconciliation;

namespace Iroh.Docs.Store;

/// <summary>A stretch of a document's entries from one name up to but without another, as a condition of a statement. Immutable.</summary>
internal sealed class EntrySpan
{
    /// <summary>The condition; its values are <c>$2</c> to <c>$5</c> of <see cref="Values"/>.</summary>
    internal const string Condition = "(author, key) >= ($2, $3) AND (author, key) < ($4, $5)";

    private static readonly byte[] s_firstAuthor = new byte[AuthorId.Length];

    // One byte longer than any author, and so after all of them.
    private static readonly byte[] s_afterAuthors = [.. Enumerable.Repeat(byte.MaxValue, AuthorId.Length + 1)];

    private readonly (byte[] Author, byte[] Key) _from;
    private readonly (byte[] Author, byte[] Key) _to;

    private EntrySpan((byte[] Author, byte[] Key) from, (byte[] Author, byte[] Key) to)
    {
        _from = from;
        _to = to;
    }

    /// <summary>Whether nothing can be inside.</summary>
    internal bool IsEmpty
    {
        get
        {
            int byAuthor = _from.Author.AsSpan().SequenceCompareTo(_to.Author);
            return byAuthor > 0 || (byAuthor == 0 && _from.Key.AsSpan().SequenceCompareTo(_to.Key) >= 0);
        }
    }

    /// <summary>The stretches of a range, in the range's order.</summary>
    internal static EntrySpan[] Of(NamespaceId document, RecordRange range)
    {
        (byte[], byte[]) first = (s_firstAuthor, []), end = (s_afterAuthors, []);
        if (range.IsAll)
            return [new EntrySpan(first, end)];
        (byte[], byte[]) from = Bound(document, range.From), to = Bound(document, range.To);
        return range.Wraps ? [new EntrySpan(first, to), new EntrySpan(from, end)] : [new EntrySpan(from, to)];
    }

    /// <summary>What is left after an entry.</summary>
    internal EntrySpan After(SignedEntry entry) => new((entry.Key.Author.ToArray(), [.. entry.Key.Key.Span, 0]), _to);

    /// <summary>The values of the condition, after the document.</summary>
    internal object[] Values(NamespaceId document) => [document.ToArray(), _from.Author, _from.Key, _to.Author, _to.Key];

    /// <summary>A name as a place among the document's: names of other documents come before or after all of them.</summary>
    private static (byte[] Author, byte[] Key) Bound(NamespaceId document, RecordKey name) => name.Document.CompareTo(document) switch
    {
        < 0 => (s_firstAuthor, []),
        > 0 => (s_afterAuthors, []),
        _ => (name.Author.ToArray(), name.Key.ToArray()),
    };
}
