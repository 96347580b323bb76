using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Spaces;
using Iroh.Quic.Protocol.Streams;

namespace Iroh.Quic.Protocol.Tests.Streams;

/// <summary>Carries frames between two tables as the connection does, without packets.</summary>
internal static class FrameDispatch
{
    /// <summary>One packet's worth of frames from the table: their bytes and what the sender remembers of them.</summary>
    public static (byte[] Bytes, SentFrame[] Sent) Take(StreamTable table, int capacity)
    {
        var writer = new WireWriter(new byte[capacity]);
        var sent = new SentFrameList();
        table.WriteFrames(ref writer, sent);
        return (writer.Written.ToArray(), sent.Frames.ToArray());
    }

    /// <summary>Hands every frame of a packet to the table; the first error ends it.</summary>
    public static TransportError? Give(StreamTable table, ReadOnlySpan<byte> packet)
    {
        var reader = new WireReader(packet);
        while (reader.Remaining > 0)
        {
            Assert.True(FrameReader.TryReadType(ref reader, out ulong type, out TransportError? malformed), malformed?.Reason);
            if (GiveOne(table, ref reader, type) is { } error)
                return error;
        }

        return null;
    }

    private static TransportError? GiveOne(StreamTable table, ref WireReader reader, ulong type)
    {
        if (FrameType.IsStream(type))
        {
            Assert.True(StreamFrame.TryRead(ref reader, type, out StreamFrame frame));
            return table.OnStreamFrame(frame.StreamId, frame.Offset, frame.Data, frame.Fin);
        }

        switch (type)
        {
            case FrameType.ResetStream:
                Assert.True(ResetStreamFrame.TryRead(ref reader, type, out ResetStreamFrame reset));
                return table.OnResetStream(reset.StreamId, reset.ErrorCode, reset.FinalSize);
            case FrameType.StopSending:
                Assert.True(StopSendingFrame.TryRead(ref reader, type, out StopSendingFrame stop));
                return table.OnStopSending(stop.StreamId, stop.ErrorCode);
            case FrameType.MaxData:
                Assert.True(MaxDataFrame.TryRead(ref reader, type, out MaxDataFrame maxData));
                table.OnMaxData(maxData.Maximum);
                return null;
            case FrameType.MaxStreamData:
                Assert.True(MaxStreamDataFrame.TryRead(ref reader, type, out MaxStreamDataFrame maxStreamData));
                return table.OnMaxStreamData(maxStreamData.StreamId, maxStreamData.Maximum);
            case FrameType.MaxStreamsBidirectional or FrameType.MaxStreamsUnidirectional:
                Assert.True(MaxStreamsFrame.TryRead(ref reader, type, out MaxStreamsFrame maxStreams));
                table.OnMaxStreams(maxStreams.Direction, maxStreams.Maximum);
                return null;
            case FrameType.StreamsBlockedBidirectional or FrameType.StreamsBlockedUnidirectional:
                Assert.True(StreamsBlockedFrame.TryRead(ref reader, type, out _));
                return null;
            default:
                Assert.Fail($"Unexpected frame type {type:x}.");
                return null;
        }
    }
}
