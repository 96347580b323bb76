using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Spaces;

namespace Iroh.Quic.Protocol.NatTraversal;

/// <summary>A client's REACH_OUT frames: one per candidate and round, repeated if lost as long as the round lasts.</summary>
internal sealed class ReachOuts
{
    private NetworkAddress[] _addresses = [];
    private bool[] _isOwed = [];
    private int _owedCount;

    /// <summary>The round, 0 before the first.</summary>
    public ulong Round { get; private set; }

    /// <summary>Whether something has to be sent.</summary>
    public bool HasFrames => _owedCount > 0;

    /// <summary>Starts the next round.</summary>
    /// <param name="addresses">Where the server shall send its probes, not more than it takes; copied.</param>
    public void Begin(ReadOnlySpan<NetworkAddress> addresses)
    {
        Round++;
        _addresses = addresses.ToArray();
        _isOwed = new bool[addresses.Length];
        Array.Fill(_isOwed, true);
        _owedCount = addresses.Length;
    }

    /// <summary>Writes what is owed, as far as it fits.</summary>
    public void WriteFrames(ref WireWriter writer, SentFrameList frames)
    {
        for (int i = 0; i < _addresses.Length && _owedCount > 0; i++)
        {
            var frame = new ReachOutFrame(Round, _addresses[i]);
            if (!_isOwed[i])
                continue;
            if (writer.Remaining < frame.EncodedLength)
                return;
            frame.Write(ref writer);
            frames.Add(new SentFrame(SentFrameKind.ReachOut, false, 0, Round, (ulong)i));
            _isOwed[i] = false;
            _owedCount--;
        }
    }

    /// <summary>A REACH_OUT was lost. Of an older round it is of no use any more.</summary>
    public void OnLost(in SentFrame frame)
    {
        if (frame.A != Round || _isOwed[frame.B])
            return;
        _isOwed[frame.B] = true;
        _owedCount++;
    }
}
