namespace Iroh.Docs.Reconciliation;

/// <summary>
/// One side of a range-based set reconciliation as iroh-docs does it: the sides compare fingerprints of ranges, cut those that differ, and send
/// the entries where little is left. Pure: the replica, the messages and the time are arguments. Not thread-safe; one instance per session.
/// </summary>
/// <remarks>
/// The replica only holds the entries of one document, so that ranges which reach beyond it select nothing there. Entries that break the rules
/// are left out; a peer that sends entries of other documents or with wrong signatures is at fault, since iroh stores neither.
/// </remarks>
public sealed class SetReconciliation
{
    /// <summary>How many entries that no honest replica can hold end a session: each costs the work of verifying it.</summary>
    public const int ForgedEntriesMax = 16;

    // The ranges of an honest message do not overlap: each entry is looked at up to eight times. Twice that, and some for small replicas.
    private const long WorkPerEntry = 16;
    private const long WorkPerPart = 64;
    private const long WorkAlways = 1024;

    private readonly NamespaceId _document;
    private readonly IReconciledReplica _replica;
    private readonly ReconciliationOptions _options;
    private long _work;
    private int _forged;

    /// <summary>A session about one document.</summary>
    /// <param name="document">The document.</param>
    /// <param name="replica">Its entries here. They may change between the calls.</param>
    /// <param name="options">The parameters; null for those of iroh-docs.</param>
    public SetReconciliation(NamespaceId document, IReconciledReplica replica, ReconciliationOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(replica);
        _document = document;
        _replica = replica;
        _options = options ?? ReconciliationOptions.Default;
        ArgumentOutOfRangeException.ThrowIfLessThan(_options.SetSizeMax, 1, nameof(options));
        ArgumentOutOfRangeException.ThrowIfLessThan(_options.SplitFactor, 2, nameof(options));
    }

    /// <summary>What was exchanged so far.</summary>
    public ReconciliationOutcome Outcome { get; private set; } = ReconciliationOutcome.None;

    /// <summary>The first message of the side that begins: its fingerprint of everything.</summary>
    public ReconciliationMessage Begin()
    {
        RecordKey first = _replica.FirstKey ?? RecordKey.Zero;
        var everything = new RecordRange(first, first);
        return new ReconciliationMessage([new FingerprintPart(everything, _replica.Summarize(everything).Fingerprint)]);
    }

    /// <summary>Takes in what the peer said and answers it: first all entries, then all fingerprints.</summary>
    /// <param name="message">The peer's message.</param>
    /// <param name="now">The time here, which entries must not be far ahead of.</param>
    public ReconciliationStep Process(ReconciliationMessage message, EntryTimestamp now)
    {
        ArgumentNullException.ThrowIfNull(message);
        var reply = new ReplyBuilder(_options.ReplyBytesMax);
        var valid = new List<ReceivedEntry>();
        foreach (ItemPart part in message.Parts.OfType<ItemPart>())
        {
            AddValid(part, valid, now);
            if (_forged > ForgedEntriesMax)
                return Refuse("sent entries that are not the document's or whose signatures are wrong");
        }

        // Stored before answering: what the peer's deletions remove here is not offered to it, which an iroh peer would take back.
        IReadOnlyList<ReceivedEntry> stored = valid.Count == 0 ? [] : _replica.Insert(valid);
        _work = (WorkPerEntry * _replica.Count) + (WorkPerPart * message.Parts.Length) + WorkAlways;
        foreach (ItemPart part in message.Parts.OfType<ItemPart>())
        {
            if (!TryAnswerItem(part, reply))
                return Refuse("asked about the same entries over and over", stored);
        }

        foreach (FingerprintPart part in message.Parts.OfType<FingerprintPart>())
        {
            if (!TryAnswerFingerprint(part, reply))
                return Refuse("asked about the same entries over and over", stored);
        }

        ReconciliationMessage? built = reply.Build();
        AuthorHeads heads = Outcome.Heads;
        foreach (ReceivedEntry received in stored)
            heads = heads.With(received.Entry.Key.Author, received.Entry.Record.Timestamp);
        Outcome = new ReconciliationOutcome(
            Outcome.Sent + (built?.EntryCount ?? 0),
            Outcome.Received + message.EntryCount,
            Outcome.Stored + stored.Count,
            heads,
            Outcome.IsIncomplete || reply.IsCut || ReplyBuilder.Measure(message) > _options.ReplyBytesMax / 2);
        return new ReconciliationStep(built, stored, null);
    }

    private static ReconciliationStep Refuse(string fault, IReadOnlyList<ReceivedEntry>? stored = null) =>
        new(null, stored ?? [], fault);

    private bool TryAnswerItem(ItemPart part, ReplyBuilder reply)
    {
        if (part.HasLocal)
            return true;
        if (!TrySummarize(part.Range, out RangeSummary ours))
            return false;
        if (ours.Count == 0)
            return true;
        var theirs = new Dictionary<RecordKey, EntryRecord>();
        foreach (ReceivedEntry received in part.Entries)
            theirs[received.Entry.Key] = received.Entry.Record;
        // Asked twice, but read only as far as the reply has room.
        IEnumerable<SignedEntry> unanswered = _replica.Entries(part.Range)
            .Where(entry => !theirs.TryGetValue(entry.Key, out EntryRecord record) || record.CompareTo(entry.Record) < 0);
        if (unanswered.Any())
            reply.AddItem(part.Range, unanswered.Select(WithStatus), hasLocal: true);
        return true;
    }

    private void AddValid(ItemPart part, List<ReceivedEntry> valid, EntryTimestamp now)
    {
        foreach (ReceivedEntry received in part.Entries)
        {
            // What is here already needs no verifying, and costs most of the time.
            if (_replica.Find(received.Entry.Key) is { } known && known.Record.CompareTo(received.Entry.Record) >= 0)
                continue;
            switch (EntryRules.Check(received.Entry, _document, now))
            {
                case EntryProblem.None:
                    valid.Add(received);
                    break;
                case EntryProblem.BadSignature or EntryProblem.WrongDocument:
                    if (++_forged > ForgedEntriesMax)
                        return;
                    break;
            }
        }
    }

    private bool TryAnswerFingerprint(FingerprintPart part, ReplyBuilder reply)
    {
        if (!TrySummarize(part.Range, out RangeSummary ours))
            return false;
        if (ours.Fingerprint == part.Fingerprint)
            return true;
        if (ours.Count <= 1 || part.Fingerprint == EntryFingerprint.Empty || ours.Count <= _options.SetSizeMax)
        {
            reply.AddItem(part.Range, _replica.Entries(part.Range).Select(WithStatus), hasLocal: false);
            return true;
        }

        // Only where entries were removed under our hands there is nothing to cut at.
        if (FindPivots(part.Range, ours.Count) is not { } pivots)
        {
            reply.AddItem(part.Range, _replica.Entries(part.Range).Select(WithStatus), hasLocal: false);
            return true;
        }

        foreach (RecordRange range in Cut(part.Range, pivots))
        {
            if (!TrySummarize(range, out RangeSummary summary))
                return false;
            if (summary.Count > _options.SetSizeMax)
                reply.AddFingerprint(range, summary.Fingerprint);
            else
                reply.AddItem(range, _replica.Entries(range).Select(WithStatus), hasLocal: false);
        }

        return true;
    }

    /// <summary>The names at which a range with at least two entries is cut so that each part has about the same number.</summary>
    private RecordKey[]? FindPivots(RecordRange range, long count)
    {
        // A range that goes around the end is cut from its own first name on, which is somewhere in the middle of its order.
        RecordKey middle = range.Wraps ? range.To : range.From;
        long start = (range.IsAll || range.Wraps) && middle > RecordKey.Zero
            ? _replica.Summarize(new RecordRange(RecordKey.Zero, middle)).Count
            : 0;
        var pivots = new RecordKey[_options.SplitFactor];
        for (int i = 0; i < pivots.Length; i++)
        {
            long position = (long)((start + ((Int128)count * (i + 1) / pivots.Length)) % count);
            if (_replica.KeyAt(range, position) is not { } pivot)
                return null;
            pivots[i] = pivot;
        }

        return pivots;
    }

    private static IEnumerable<RecordRange> Cut(RecordRange range, RecordKey[] pivots)
    {
        // A circle is cut at every pivot; a range keeps its ends, so that the last pivot has nothing to cut.
        RecordKey[] cuts = range.IsAll ? [.. pivots, pivots[0]] : [range.From, .. pivots[..^1], range.To];
        for (int i = 0; i + 1 < cuts.Length; i++)
        {
            var part = new RecordRange(cuts[i], cuts[i + 1]);
            if (!part.IsAll)
                yield return part;
        }
    }

    private bool TrySummarize(RecordRange range, out RangeSummary summary)
    {
        summary = _replica.Summarize(range);
        // A summary that differs is followed by a split and its parts; together they look at each entry a few times.
        _work -= 4 * (summary.Count + 1);
        return _work >= 0;
    }

    private ReceivedEntry WithStatus(SignedEntry entry) => new(entry, _replica.StatusOf(entry.ContentHash));
}
