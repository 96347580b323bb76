using Iroh.Cryptography;
using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Spaces;
using Iroh.Quic.Protocol.Streams;

namespace Iroh.Quic.Protocol.Tests.Streams;

/// <summary>A peer that sends anything: no exception, bounded memory, and only errors that the RFC names.</summary>
public sealed class StreamTableFuzzTests
{
    private const ulong StreamWindow = 100_000;
    private const ulong Window = 300_000;
    private const ulong Streams = 8;

    [Fact]
    public void Any_frames_at_any_time_give_an_answer_and_take_bounded_memory()
    {
        for (ulong seed = 1; seed <= 500; seed++)
        {
            try
            {
                Run(seed);
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"Seed {seed}", e);
            }
        }
    }

    private static void Run(ulong seed)
    {
        var random = new SeededRandomSource(seed);
        var events = new Queue<StreamEvent>();
        var configuration = new StreamConfiguration
        {
            Local = new StreamLimits(Window, StreamWindow, StreamWindow, StreamWindow, Streams, Streams),
            StreamSendWindow = 10_000,
            SendWindow = 50_000,
        };
        var table = new StreamTable(Side.Server, configuration, events);
        table.OnPeerParameters(new StreamLimits(20_000, 5000, 5000, 5000, 4, 4));
        List<SentFrame> inFlight = [];
        var data = new byte[3000];

        // What is received can lie anywhere in the windows; each half may have a block begun at either end.
        long memoryMax = (long)Window + 50_000 + (4 * (long)Streams * 2 * 2 * BlockPool.BlockLength);
        for (int step = 0; step < 400; step++)
        {
            TransportError? error = random.NextBelow(2) == 0 ? Receive(table, random, data) : Act(table, random, data, inFlight);
            Assert.True(
                error is null || error.Code is TransportErrorCode.FlowControlError or TransportErrorCode.StreamLimitError
                    or TransportErrorCode.StreamStateError or TransportErrorCode.FinalSizeError,
                $"seed {seed}: {error}");
            Assert.True(table.BlockBytes <= memoryMax, $"seed {seed}: {table.BlockBytes} bytes");
            Assert.True(table.LiveHalves < 200, $"seed {seed}: {table.LiveHalves} halves");
            Assert.True(events.Count < 40, $"seed {seed}: {events.Count} events from one step");
            events.Clear();
        }
    }

    private static TransportError? Receive(StreamTable table, RandomSource random, byte[] data)
    {
        // Ids around the limits, and now and then any at all.
        var id = new StreamId(random.NextBelow(20) == 0 ? random.NextBelow(1UL << 62) : random.NextBelow(4 * (Streams + 4)));
        ulong number = random.NextBelow(20) == 0 ? random.NextBelow(1UL << 62) : random.NextBelow(StreamWindow + (StreamWindow / 10));
        int length = (int)random.NextBelow((ulong)data.Length);
        switch (random.NextBelow(10))
        {
            case 0:
                return table.OnResetStream(id, random.NextBelow(1UL << 62), number);
            case 1:
                return table.OnStopSending(id, random.NextBelow(1UL << 62));
            case 2:
                table.OnMaxData(number);
                return null;
            case 3:
                return table.OnMaxStreamData(id, number);
            case 4:
                table.OnMaxStreams((StreamDirection)random.NextBelow(2), random.NextBelow(20));
                return null;
            case 5:
                return table.OnStreamDataBlocked(id);
            default:
                return table.OnStreamFrame(id, number, data.AsSpan(0, length), random.NextBelow(8) == 0);
        }
    }

    private static TransportError? Act(StreamTable table, RandomSource random, byte[] data, List<SentFrame> inFlight)
    {
        var id = new StreamId(random.NextBelow(4 * (Streams + 4)));
        var direction = (StreamDirection)random.NextBelow(2);
        switch (random.NextBelow(10))
        {
            case 0:
                table.TryOpenStream(direction, out _);
                break;
            case 1:
                table.TryAcceptStream(direction, out _);
                break;
            case 2:
                table.Write(id, data.AsSpan(0, (int)random.NextBelow(3000)));
                break;
            case 3:
                table.Read(id, data.AsSpan(0, (int)random.NextBelow(3000)));
                break;
            case 4:
                table.Finish(id);
                break;
            case 5 when random.NextBelow(4) == 0:
                table.Reset(id, 1);
                break;
            case 6 when random.NextBelow(4) == 0:
                table.StopSending(id, 1);
                break;
            case 7 or 8:
                inFlight.AddRange(FrameDispatchOrEmpty(table, (int)random.NextBelow(1400)));
                break;
            case 9 when inFlight.Count > 0:
                int index = (int)random.NextBelow((ulong)inFlight.Count);
                if (random.NextBelow(3) == 0)
                    table.OnFrameLost(inFlight[index]);
                else
                    table.OnFrameAcknowledged(inFlight[index]);
                inFlight.RemoveAt(index);
                break;
        }

        return null;
    }

    // What was written must be readable whatever the state.
    private static SentFrame[] FrameDispatchOrEmpty(StreamTable table, int capacity)
    {
        (byte[] bytes, SentFrame[] sent) = FrameDispatch.Take(table, capacity);
        var reader = new WireReader(bytes);
        foreach (SentFrame frame in sent)
        {
            Assert.True(FrameReader.TryReadType(ref reader, out ulong type, out _));
            bool read = frame.Kind switch
            {
                SentFrameKind.Stream => StreamFrame.TryRead(ref reader, type, out StreamFrame f) && (ulong)f.Data.Length == frame.B,
                SentFrameKind.ResetStream => ResetStreamFrame.TryRead(ref reader, type, out _),
                SentFrameKind.StopSending => StopSendingFrame.TryRead(ref reader, type, out _),
                SentFrameKind.MaxData => MaxDataFrame.TryRead(ref reader, type, out _),
                SentFrameKind.MaxStreamData => MaxStreamDataFrame.TryRead(ref reader, type, out _),
                SentFrameKind.MaxStreams => MaxStreamsFrame.TryRead(ref reader, type, out _),
                SentFrameKind.StreamsBlocked => StreamsBlockedFrame.TryRead(ref reader, type, out _),
                _ => false,
            };
            Assert.True(read, $"{frame} cannot be read");
        }

        Assert.Equal(0, reader.Remaining);
        return sent;
    }
}
