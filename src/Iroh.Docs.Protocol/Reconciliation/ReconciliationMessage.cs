using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Iroh.Base.Serialization;

namespace Iroh.Docs.Reconciliation;

/// <summary>What one side says in its turn: number of parts, parts. Immutable.</summary>
/// <param name="Parts">Statements about ranges.</param>
public sealed record ReconciliationMessage(ImmutableArray<ReconciliationPart> Parts)
{
    /// <summary>Number of entries in all parts.</summary>
    public int EntryCount => Parts.OfType<ItemPart>().Sum(part => part.Entries.Length);

    /// <summary>Reads the wire form.</summary>
    public static bool TryRead(ref PostcardReader reader, [NotNullWhen(true)] out ReconciliationMessage? message)
    {
        message = null;
        if (!reader.TryReadUInt64(out ulong count))
            return false;
        // The list grows with what is really there: a part takes more than 130 bytes of the message.
        var parts = ImmutableArray.CreateBuilder<ReconciliationPart>();
        for (ulong i = 0; i < count; i++)
        {
            if (!ReconciliationPart.TryRead(ref reader, out ReconciliationPart? part))
                return false;
            parts.Add(part);
        }

        message = new ReconciliationMessage(parts.DrainToImmutable());
        return true;
    }

    /// <summary>Appends the wire form.</summary>
    public void Write(PostcardWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteVarint((ulong)Parts.Length);
        foreach (ReconciliationPart part in Parts)
            part.Write(writer);
    }
}
