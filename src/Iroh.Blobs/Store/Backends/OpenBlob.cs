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

    public int Users { get; set; }

    public void Close()
    {
        Data.Dispose();
        Outboard?.Dispose();
    }
}
