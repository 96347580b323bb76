using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Iroh.Base.Serialization;

namespace Iroh.Docs.Reconciliation;

/// <summary>One statement about a range: <see cref="FingerprintPart"/> (variant 0) or <see cref="ItemPart"/> (variant 1). Immutable.</summary>
/// <param name="Range">What it is about.</param>
public abstract record ReconciliationPart(RecordRange Range)
{
    /// <summary>Reads the wire form.</summary>
    public static bool TryRead(ref PostcardReader reader, [NotNullWhen(true)] out ReconciliationPart? part)
    {
        part = null;
        if (!reader.TryReadUInt32(out uint variant)
            || !RecordKey.TryRead(ref reader, out RecordKey? from)
            || !RecordKey.TryRead(ref reader, out RecordKey? to))
            return false;
        var range = new RecordRange(from, to);
        switch (variant)
        {
            case FingerprintPart.Variant:
                if (reader.TryReadFixed(EntryFingerprint.Length, out ReadOnlySpan<byte> fingerprint))
                    part = new FingerprintPart(range, new EntryFingerprint(fingerprint));
                break;
            case ItemPart.Variant:
                if (TryReadEntries(ref reader, out ImmutableArray<ReceivedEntry> entries) && reader.TryReadBool(out bool hasLocal))
                    part = new ItemPart(range, entries, hasLocal);
                break;
        }

        return part is not null;
    }

    /// <summary>Appends the wire form.</summary>
    public abstract void Write(PostcardWriter writer);

    /// <summary>Appends the variant and the range.</summary>
    private protected void WriteHead(PostcardWriter writer, uint variant)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteVarint(variant);
        Range.From.Write(writer);
        Range.To.Write(writer);
    }

    private static bool TryReadEntries(ref PostcardReader reader, out ImmutableArray<ReceivedEntry> entries)
    {
        entries = [];
        if (!reader.TryReadUInt64(out ulong count))
            return false;
        // The list grows with what is really there: an entry takes more than 200 bytes of the message.
        var read = ImmutableArray.CreateBuilder<ReceivedEntry>();
        for (ulong i = 0; i < count; i++)
        {
            if (!SignedEntry.TryRead(ref reader, out SignedEntry? entry)
                || !reader.TryReadUInt32(out uint status)
                || status > (uint)ContentStatus.Missing)
                return false;
            read.Add(new ReceivedEntry(entry, (ContentStatus)status));
        }

        entries = read.DrainToImmutable();
        return true;
    }
}

/// <summary>The sender's fingerprint of a range: whoever has another one answers.</summary>
/// <param name="Range">What it is about.</param>
/// <param name="Fingerprint">Of the sender's entries.</param>
public sealed record FingerprintPart(RecordRange Range, EntryFingerprint Fingerprint) : ReconciliationPart(Range)
{
    internal const uint Variant = 0;

    /// <inheritdoc/>
    public override void Write(PostcardWriter writer)
    {
        WriteHead(writer, Variant);
        writer.WriteFixed(Fingerprint.Span);
    }
}

/// <summary>Entries of a range.</summary>
/// <param name="Range">What it is about.</param>
/// <param name="Entries">The sender's entries: all of the range, or those that the receiver was seen to lack.</param>
/// <param name="HasLocal">Whether the sender knows the receiver's entries of the range already, and so wants none back.</param>
public sealed record ItemPart(RecordRange Range, ImmutableArray<ReceivedEntry> Entries, bool HasLocal) : ReconciliationPart(Range)
{
    internal const uint Variant = 1;

    /// <inheritdoc/>
    public override void Write(PostcardWriter writer)
    {
        WriteHead(writer, Variant);
        writer.WriteVarint((ulong)Entries.Length);
        foreach (ReceivedEntry entry in Entries)
        {
            entry.Entry.Write(writer);
            writer.WriteVarint((ulong)entry.ContentStatus);
        }

        writer.WriteBool(HasLocal);
    }
}
