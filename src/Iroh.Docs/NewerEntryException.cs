namespace Iroh.Docs;

/// <summary>
/// An entry could not be made because another one that it must be later than (the author's own at the key or at a beginning of it, or one that was
/// to be outdone) is so far in the future that nobody would accept a later one.
/// </summary>
/// <param name="present">The entry that is in the way.</param>
public sealed class NewerEntryException(SignedEntry present) : Exception(
    $"The document has an entry from {present.Record.Timestamp.ToDateTimeOffset():u} at this key, which is so far in the future that peers would take "
    + "no later one. Set the clocks of this machine and of whoever wrote it.")
{
    /// <summary>The entry that is in the way.</summary>
    public SignedEntry Present { get; } = present;
}
