namespace Iroh.Blobs.Transfer.Planning;

/// <summary>
/// A run of pieces that one source is to deliver in ascending order. Belongs to its <see cref="DownloadPlan"/> and its lock;
/// <see cref="EndOffset"/> alone may be read by anybody, since another source may take the end of the run over at any time.
/// </summary>
internal sealed class Assignment
{
    private long _endOffset;

    /// <summary>A run from <paramref name="first"/> to before <paramref name="end"/>.</summary>
    internal Assignment(int source, int first, int end, ulong offset, ulong endOffset)
    {
        (Source, First, Next, End, Offset) = (source, first, first, end, offset);
        _endOffset = (long)endOffset;
    }

    /// <summary>Who delivers it.</summary>
    public int Source { get; }

    /// <summary>The first piece.</summary>
    public int First { get; }

    /// <summary>The piece that is being delivered.</summary>
    public int Next { get; internal set; }

    /// <summary>The piece behind the last one.</summary>
    public int End { get; private set; }

    /// <summary>Up to where in the blob the source has delivered, in bytes.</summary>
    public ulong Offset { get; internal set; }

    /// <summary>Where in the blob the run ends, in bytes: what comes from behind it is no longer wanted from this source.</summary>
    public ulong EndOffset => (ulong)Volatile.Read(ref _endOffset);

    internal void CutAt(int end, ulong endOffset)
    {
        End = end;
        Volatile.Write(ref _endOffset, (long)endOffset);
    }
}
