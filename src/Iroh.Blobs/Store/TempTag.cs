namespace Iroh.Blobs.Store;

/// <summary>
/// Keeps content in a store while this process holds it: from an import until a tag or somebody else keeps it. Has one owner, who disposes
/// it; several may hold the same content, and each counts. Thread-safe.
/// </summary>
public sealed class TempTag : IDisposable
{
    private Action<HashAndFormat>? _letGo;

    /// <param name="content">What is held.</param>
    /// <param name="size">See <see cref="Size"/>.</param>
    /// <param name="letGo">Called once, when this is disposed.</param>
    internal TempTag(HashAndFormat content, long size, Action<HashAndFormat> letGo)
    {
        Content = content;
        Size = size;
        _letGo = letGo;
    }

    /// <summary>What is held.</summary>
    public HashAndFormat Content { get; }

    /// <summary>The blob.</summary>
    public BlobHash Hash => Content.Hash;

    /// <summary>Bytes of the blob; 0 if it was held before its size was known.</summary>
    public long Size { get; }

    /// <summary>Lets go. What nothing else keeps then goes with the next collection.</summary>
    public void Dispose() => Interlocked.Exchange(ref _letGo, null)?.Invoke(Content);
}
