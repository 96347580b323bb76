namespace Iroh.Docs;

/// <summary>How much of an entry's content the sender of the entry has. The numbers are those of the wire.</summary>
public enum ContentStatus
{
    /// <summary>All of it.</summary>
    Complete = 0,

    /// <summary>Some of it.</summary>
    Incomplete = 1,

    /// <summary>Nothing.</summary>
    Missing = 2,
}
