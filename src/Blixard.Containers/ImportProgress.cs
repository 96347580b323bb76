namespace Blixard.Containers;

/// <summary>How far making an image bootable is.</summary>
/// <param name="Stage">What is being done, in a few words.</param>
/// <param name="Done">Bytes of the archive that were read for it.</param>
/// <param name="Total">Bytes that will be read for it.</param>
public readonly record struct ImportProgress(string Stage, long Done, long Total);
