using System.Collections.Immutable;

namespace Iroh.Docs.Reconciliation;

/// <summary>Collects the parts of a reply up to a number of bytes. Not thread-safe.</summary>
internal sealed class ReplyBuilder
{
    // Two signatures, the name's length, length, hash, timestamp and status of an entry, each at its longest.
    private const int EntryBytes = 128 + 3 + 10 + 32 + 10 + 1;

    // Variant, two lengths, the fingerprint or the number of entries and the flag, each at its longest.
    private const int PartBytes = 1 + 6 + 32;

    private readonly ImmutableArray<ReconciliationPart>.Builder _parts = ImmutableArray.CreateBuilder<ReconciliationPart>();
    private long _room;

    internal ReplyBuilder(int bytesMax) => _room = bytesMax;

    /// <summary>Whether something was left out.</summary>
    internal bool IsCut { get; private set; }

    /// <summary>About how many bytes a message has, counted as replies are.</summary>
    internal static long Measure(ReconciliationMessage message)
    {
        long length = 0;
        foreach (ReconciliationPart part in message.Parts)
        {
            length += Measure(part.Range);
            if (part is ItemPart item)
                length += item.Entries.Sum(received => (long)Measure(received));
        }

        return length;
    }

    internal void AddFingerprint(RecordRange range, EntryFingerprint fingerprint)
    {
        if (TryTake(range))
            _parts.Add(new FingerprintPart(range, fingerprint));
    }

    internal void AddItem(RecordRange range, IEnumerable<ReceivedEntry> entries, bool hasLocal)
    {
        if (!TryTake(range))
            return;
        var fitting = ImmutableArray.CreateBuilder<ReceivedEntry>();
        foreach (ReceivedEntry entry in entries)
        {
            int length = Measure(entry);
            if (length > _room)
            {
                IsCut = true;
                break;
            }

            _room -= length;
            fitting.Add(entry);
        }

        _parts.Add(new ItemPart(range, fitting.DrainToImmutable(), hasLocal));
    }

    /// <summary>What was collected; null if nothing was.</summary>
    internal ReconciliationMessage? Build() => _parts.Count == 0 ? null : new ReconciliationMessage(_parts.DrainToImmutable());

    private static int Measure(RecordRange range) => PartBytes + range.From.Span.Length + range.To.Span.Length;

    private static int Measure(ReceivedEntry received) => EntryBytes + received.Entry.Key.Span.Length;

    private bool TryTake(RecordRange range)
    {
        int length = Measure(range);
        IsCut |= length > _room;
        if (length > _room)
            return false;
        _room -= length;
        return true;
    }
}
