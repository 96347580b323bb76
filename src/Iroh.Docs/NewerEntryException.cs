namespace Iroh.Docs;

/// <summary>
/// An entry could not be made because the author's own entry at the key, or at a beginning of it, is so far in the future that nobody would accept
/// a later one.
/// </summary>
/// <param name="present">The entry that is in the way.</param>
public sealed class NewerEntryException(SignedEntry present) : Exception(
    $"The document has an entry of this author from {present.Record.Timestamp.ToDateTimeOffset():u} at this key, which is in the future. "
    + "Set this machine's clock, or write as another author.")
{
    /// <summary>The entry that is in the way.</summary>
    public SignedEntry Present { get; } = present;
}
