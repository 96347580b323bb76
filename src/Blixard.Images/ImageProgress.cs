namespace Blixard.Images;

/// <summary>How far an image is, while it is packed or fetched.</summary>
/// <param name="Part">The file name of the part that is being copied or fetched; "manifest" before it is known.</param>
/// <param name="DoneBytes">Bytes of all parts that are here.</param>
/// <param name="TotalBytes">Bytes of all parts; 0 = not known yet.</param>
/// <param name="BytesPerSecond">Since the beginning, without what was here before.</param>
/// <param name="Sources">Who sends, by name; empty when files are copied or nobody has sent yet.</param>
public sealed record ImageProgress(string Part, long DoneBytes, long TotalBytes, long BytesPerSecond, IReadOnlyList<ImageSourceProgress> Sources);

/// <summary>What one source has done for an image.</summary>
/// <param name="Name">The source's name.</param>
/// <param name="Bytes">Bytes of the image that it sent and that were right.</param>
/// <param name="BytesPerSecond">How fast it sends at the moment.</param>
/// <param name="Trouble">Why it is not asked any more, for people; null while it is.</param>
public sealed record ImageSourceProgress(string Name, long Bytes, long BytesPerSecond, string? Trouble);
