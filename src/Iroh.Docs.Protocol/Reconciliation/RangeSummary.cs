namespace Iroh.Docs.Reconciliation;

/// <summary>How many entries a range has, and their fingerprint.</summary>
/// <param name="Count">Number of entries.</param>
/// <param name="Fingerprint">Of all of them together; <see cref="EntryFingerprint.Empty"/> for none.</param>
public readonly record struct RangeSummary(long Count, EntryFingerprint Fingerprint)
{
    /// <summary>Of no entries.</summary>
    public static RangeSummary Empty { get; } = new(0, EntryFingerprint.Empty);

    /// <summary>With one more entry.</summary>
    /// <param name="entryFingerprint">Its <see cref="SignedEntry.Fingerprint"/>.</param>
    public RangeSummary With(EntryFingerprint entryFingerprint) => new(Count + 1, Fingerprint.Xor(entryFingerprint));
}
