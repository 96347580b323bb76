namespace Iroh.Docs.Reconciliation;

/// <summary>
/// A range of names on a circle: from <see cref="From"/> up to but without <see cref="To"/>. Both the same: everything. The second before the
/// first: what lies below <see cref="To"/>, then what lies from <see cref="From"/> on, in this order. The ends need not name entries, nor
/// belong to the document: a range only ever selects among the entries of one.
/// </summary>
/// <param name="From">The first name inside.</param>
/// <param name="To">The first name outside.</param>
public readonly record struct RecordRange(RecordKey From, RecordKey To)
{
    /// <summary>Whether every name is inside.</summary>
    public bool IsAll => From == To;

    /// <summary>Whether the range goes around the end of the order.</summary>
    public bool Wraps => From > To;

    /// <summary>Whether <paramref name="key"/> is inside.</summary>
    public bool Contains(RecordKey key)
    {
        if (IsAll)
            return true;
        return Wraps ? key < To || key >= From : key >= From && key < To;
    }
}
