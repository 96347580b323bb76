namespace Blixard.Images;

/// <summary>How far an image is, while it is packed or fetched.</summary>
/// <param name="Part">The file name of the part that is being copied or fetched; "manifest" before it is known.</param>
/// <param name="DoneBytes">Bytes of all parts that are here.</param>
/// <param name="TotalBytes">Bytes of all parts; 0 = not known yet.</param>
/// <param name="BytesPerSecond">Since the beginning, without what was here before.</param>
/// <param name="Source">The name of the peer that sends; empty when files are copied or nobody has sent yet.</param>
public readonly record struct ImageProgress(string Part, long DoneBytes, long TotalBytes, long BytesPerSecond, string Source);
