namespace Iroh.Quic.Protocol.Spaces;

/// <summary>
/// Collects the frames of the packet being built. One list is reused for all packets of a connection, so building a packet
/// allocates nothing once the list has grown to its working size.
/// </summary>
internal sealed class SentFrameList
{
    private SentFrame[] _frames = new SentFrame[16];

    /// <summary>Number of frames collected since <see cref="Clear"/>.</summary>
    public int Count { get; private set; }

    /// <summary>The frames in the order in which they were written.</summary>
    public ReadOnlySpan<SentFrame> Frames => _frames.AsSpan(0, Count);

    /// <summary>Adds one frame. The number of frames in a packet is bounded by its size, so the list is too.</summary>
    public void Add(in SentFrame frame)
    {
        if (Count == _frames.Length)
            Array.Resize(ref _frames, Count * 2);
        _frames[Count++] = frame;
    }

    /// <summary>Starts the next packet.</summary>
    public void Clear() => Count = 0;
}
