namespace Iroh.Blobs.Store.Entries;

/// <summary>Counts the bytes that blobs take, and refuses more than the quota. Thread-safe.</summary>
/// <param name="bytesMax">The quota; null = none.</param>
internal sealed class Space(long? bytesMax)
{
    private long _taken;

    public long Taken => Interlocked.Read(ref _taken);

    /// <summary>Takes bytes.</summary>
    /// <param name="bytes">How many; below zero gives some back.</param>
    /// <param name="hash">What for; null = an import whose hash nobody knows yet.</param>
    /// <exception cref="StoreFullException">They are more than the quota leaves.</exception>
    public void Take(long bytes, BlobHash? hash)
    {
        long taken = Interlocked.Add(ref _taken, bytes);
        if (bytesMax is not { } max || taken <= max || bytes <= 0)
            return;
        Interlocked.Add(ref _taken, -bytes);
        throw new StoreFullException(
            $"no room for {bytes} more bytes of {(hash is { } blob ? $"blob {blob}" : "an import")}: {taken - bytes} of the blob store's {max} "
            + "bytes are taken (quota); remove tags and collect garbage, or raise the quota");
    }

    /// <summary>Counts bytes whatever the quota says.</summary>
    public void Count(long bytes) => Interlocked.Add(ref _taken, bytes);
}
