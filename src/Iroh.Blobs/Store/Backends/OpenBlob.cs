namespace Iroh.Blobs.Store.Backends;

/// <summary>
/// The open content and outboard of a blob, shared by all who read and write it, closed when the last lets go. Counted under the lock of the
/// blob's entry.
/// </summary>
/// <param name="data">The content.</param>
/// <param name="outboard">Null for a blob of one group.</param>
internal sealed class OpenBlob(IBlobFile data, IBlobFile? outboard)
{
    public IBlobFile Data { get; } = data;

    public IBlobFile? Outboard { get; } = outboard;

    /// <summary>
    /// Held by whoever writes. The kernel lets one at a time write to a file, too, but has the others spin on a processor meanwhile, which the
    /// rest of a download then lacks.
    /// </summary>
    public SemaphoreSlim WriteTurn { get; } = new(1, 1);

    public int Users { get; set; }

    public void Close()
    {
        Data.Dispose();
        Outboard?.Dispose();
    }
}
