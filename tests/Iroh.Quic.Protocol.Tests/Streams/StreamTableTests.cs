using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Spaces;
using Iroh.Quic.Protocol.Streams;

namespace Iroh.Quic.Protocol.Tests.Streams;

/// <summary>The rules of RFC 9000 §2 to §4 and §19 for streams, one by one, seen from a client.</summary>
public sealed class StreamTableTests
{
    private const int PacketLength = 1200;

    private static readonly StreamId LocalBidirectional = StreamId.Create(Side.Client, StreamDirection.Bidirectional, 0);
    private static readonly StreamId LocalUnidirectional = StreamId.Create(Side.Client, StreamDirection.Unidirectional, 0);
    private static readonly StreamId RemoteBidirectional = StreamId.Create(Side.Server, StreamDirection.Bidirectional, 0);
    private static readonly StreamId RemoteUnidirectional = StreamId.Create(Side.Server, StreamDirection.Unidirectional, 0);

    private readonly Queue<StreamEvent> _events = new();

    [Fact]
    public void Naming_a_stream_opens_all_lower_ones_of_its_kind() // §2.1
    {
        StreamTable table = Create();
        Assert.Null(table.OnStreamFrame(Remote(StreamDirection.Unidirectional, 3), 0, "x"u8, false));
        Assert.Equal([StreamEventKind.Opened, StreamEventKind.Readable], TakeEvents().Select(e => e.Kind));
        for (ulong index = 0; index < 4; index++)
        {
            Assert.True(table.TryAcceptStream(StreamDirection.Unidirectional, out StreamId id));
            Assert.Equal(Remote(StreamDirection.Unidirectional, index), id);
        }

        Assert.False(table.TryAcceptStream(StreamDirection.Unidirectional, out _));
        Assert.False(table.TryAcceptStream(StreamDirection.Bidirectional, out _));
        Assert.Null(table.OnStreamFrame(Remote(StreamDirection.Unidirectional, 1), 0, "y"u8, false));
        Assert.Equal([new StreamEvent(StreamEventKind.Readable, Remote(StreamDirection.Unidirectional, 1), StreamDirection.Unidirectional)], TakeEvents());
    }

    [Theory]
    [InlineData(100)]
    [InlineData(1L << 40)]
    [InlineData((1L << 60) - 1)]
    public void A_stream_beyond_the_limit_is_an_error_and_costs_nothing(long index) // §4.6
    {
        StreamTable table = Create();
        StreamId id = Remote(StreamDirection.Bidirectional, (ulong)index);
        Assert.Equal(TransportErrorCode.StreamLimitError, table.OnStreamFrame(id, 0, "x"u8, false)?.Code);
        Assert.Equal(TransportErrorCode.StreamLimitError, table.OnResetStream(id, 0, 0)?.Code);
        Assert.Equal(TransportErrorCode.StreamLimitError, table.OnStopSending(id, 0)?.Code);
        Assert.Equal(TransportErrorCode.StreamLimitError, table.OnMaxStreamData(id, 0)?.Code);
        Assert.Equal(TransportErrorCode.StreamLimitError, table.OnStreamDataBlocked(id)?.Code);
        Assert.Equal(0, table.LiveHalves);
        Assert.Null(table.OnStreamFrame(Remote(StreamDirection.Bidirectional, 99), 0, "x"u8, false));
    }

    [Fact]
    public void Frames_about_data_for_a_stream_that_only_we_send_on_are_an_error() // §19.4, §19.8, §19.13
    {
        StreamTable table = Create();
        Assert.True(table.TryOpenStream(StreamDirection.Unidirectional, out StreamId id));
        Assert.Equal(TransportErrorCode.StreamStateError, table.OnStreamFrame(id, 0, default, false)?.Code);
        Assert.Equal(TransportErrorCode.StreamStateError, table.OnResetStream(id, 0, 0)?.Code);
        Assert.Equal(TransportErrorCode.StreamStateError, table.OnStreamDataBlocked(id)?.Code);
    }

    [Fact]
    public void Frames_about_sending_for_a_stream_that_only_the_peer_sends_on_are_an_error() // §19.5, §19.10
    {
        StreamTable table = Create();
        Assert.Equal(TransportErrorCode.StreamStateError, table.OnStopSending(RemoteUnidirectional, 0)?.Code);
        Assert.Equal(TransportErrorCode.StreamStateError, table.OnMaxStreamData(RemoteUnidirectional, 10)?.Code);
    }

    [Fact]
    public void Frames_for_a_stream_of_ours_that_was_never_opened_are_an_error() // §19.5, §19.8, §19.10
    {
        StreamTable table = Create();
        Assert.Equal(TransportErrorCode.StreamStateError, table.OnStreamFrame(LocalBidirectional, 0, default, false)?.Code);
        Assert.Equal(TransportErrorCode.StreamStateError, table.OnResetStream(LocalBidirectional, 0, 0)?.Code);
        Assert.Equal(TransportErrorCode.StreamStateError, table.OnStopSending(LocalBidirectional, 0)?.Code);
        Assert.Equal(TransportErrorCode.StreamStateError, table.OnMaxStreamData(LocalUnidirectional, 10)?.Code);
        Assert.True(table.TryOpenStream(StreamDirection.Bidirectional, out _));
        Assert.Null(table.OnStreamFrame(LocalBidirectional, 0, default, false));
    }

    [Fact]
    public void Stop_sending_or_max_stream_data_opens_a_stream_of_the_peer() // §3.1
    {
        StreamTable table = Create();
        Assert.Null(table.OnMaxStreamData(RemoteBidirectional, 10));
        Assert.True(table.TryAcceptStream(StreamDirection.Bidirectional, out StreamId id));
        Assert.Equal(RemoteBidirectional, id);
    }

    [Fact]
    public void More_data_on_a_stream_than_its_limit_is_an_error() // §4.1
    {
        StreamTable table = Create(streamWindow: 100);
        Assert.Null(table.OnStreamFrame(RemoteUnidirectional, 90, new byte[10], false));
        Assert.Equal(TransportErrorCode.FlowControlError, table.OnStreamFrame(RemoteUnidirectional, 100, new byte[1], false)?.Code);
        Assert.Equal(TransportErrorCode.FlowControlError, table.OnResetStream(RemoteUnidirectional, 0, 101)?.Code);
        Assert.Equal(
            TransportErrorCode.FlowControlError, table.OnStreamFrame(RemoteUnidirectional, (1UL << 62) - 1, new byte[1], false)?.Code);
    }

    [Fact]
    public void More_data_on_all_streams_than_the_limit_is_an_error() // §4.1
    {
        StreamTable table = Create(streamWindow: 100, window: 150);
        Assert.Null(table.OnStreamFrame(RemoteUnidirectional, 99, new byte[1], false));
        Assert.Null(table.OnStreamFrame(RemoteBidirectional, 0, new byte[50], false));
        Assert.Null(table.OnStreamFrame(RemoteBidirectional, 10, new byte[40], false)); // a repetition counts once
        Assert.Equal(TransportErrorCode.FlowControlError, table.OnStreamFrame(RemoteBidirectional, 50, new byte[1], false)?.Code);
        Assert.Equal(TransportErrorCode.FlowControlError, table.OnResetStream(RemoteBidirectional, 0, 51)?.Code);
    }

    [Fact]
    public void The_final_size_cannot_change_be_exceeded_or_be_below_what_came() // §4.5
    {
        StreamTable table = Create();
        Assert.Null(table.OnStreamFrame(RemoteUnidirectional, 10, new byte[10], false));
        Assert.Equal(TransportErrorCode.FinalSizeError, table.OnStreamFrame(RemoteUnidirectional, 0, new byte[19], true)?.Code);
        Assert.Equal(TransportErrorCode.FinalSizeError, table.OnResetStream(RemoteUnidirectional, 0, 19)?.Code);
        Assert.Null(table.OnStreamFrame(RemoteUnidirectional, 30, default, true));
        Assert.Equal(TransportErrorCode.FinalSizeError, table.OnStreamFrame(RemoteUnidirectional, 25, new byte[6], false)?.Code);
        Assert.Equal(TransportErrorCode.FinalSizeError, table.OnStreamFrame(RemoteUnidirectional, 29, default, true)?.Code);
        Assert.Equal(TransportErrorCode.FinalSizeError, table.OnStreamFrame(RemoteUnidirectional, 31, default, true)?.Code);
        Assert.Equal(TransportErrorCode.FinalSizeError, table.OnResetStream(RemoteUnidirectional, 0, 31)?.Code);
        Assert.Null(table.OnResetStream(RemoteUnidirectional, 7, 30));
        Assert.Equal(TransportErrorCode.FinalSizeError, table.OnStreamFrame(RemoteUnidirectional, 31, default, false)?.Code);
        Assert.Equal(new StreamRead(0, StreamStatus.Reset, 7), table.Read(RemoteUnidirectional, new byte[10]));
    }

    [Fact]
    public void A_reset_counts_its_whole_final_size_as_received_and_as_consumed() // §4.5
    {
        StreamTable table = Create(streamWindow: 100, window: 100);
        Assert.Null(table.OnResetStream(RemoteUnidirectional, 1, 100));
        Assert.Equal(TransportErrorCode.FlowControlError, table.OnStreamFrame(RemoteBidirectional, 0, new byte[1], false)?.Code);
        Assert.Contains(FrameDispatch.Take(table, PacketLength).Sent, f => f.Kind == SentFrameKind.MaxData && f.A == 200);
        Assert.Null(table.OnStreamFrame(RemoteBidirectional, 0, new byte[1], false));
    }

    [Fact]
    public void A_reset_after_all_data_has_come_does_not_take_it_away() // §3.2
    {
        StreamTable table = Create();
        Assert.Null(table.OnStreamFrame(RemoteUnidirectional, 0, "all"u8, true));
        Assert.Null(table.OnResetStream(RemoteUnidirectional, 1, 3));
        Assert.Equal(new StreamRead(3, StreamStatus.Ok), table.Read(RemoteUnidirectional, new byte[10]));
        Assert.Equal(new StreamRead(0, StreamStatus.Finished), table.Read(RemoteUnidirectional, new byte[10]));
        Assert.Equal(new StreamRead(0, StreamStatus.Closed), table.Read(RemoteUnidirectional, new byte[10]));
        Assert.DoesNotContain(TakeEvents(), e => e.Kind == StreamEventKind.ResetReceived);
    }

    [Fact]
    public void Late_frames_for_a_stream_that_is_gone_are_ignored() // §3.2
    {
        StreamTable table = Create();
        Assert.Null(table.OnStreamFrame(RemoteUnidirectional, 0, "all"u8, true));
        table.Read(RemoteUnidirectional, new byte[10]);
        table.Read(RemoteUnidirectional, new byte[10]);
        TakeEvents();
        Assert.Equal(0, table.LiveHalves);
        Assert.Null(table.OnStreamFrame(RemoteUnidirectional, 0, "all"u8, true));
        Assert.Null(table.OnResetStream(RemoteUnidirectional, 1, 3));
        Assert.Equal(0, table.LiveHalves);
        Assert.Empty(TakeEvents());
    }

    [Fact]
    public void Readable_comes_once_until_the_reader_was_blocked()
    {
        StreamTable table = Create();
        Assert.Null(table.OnStreamFrame(RemoteUnidirectional, 1, "b"u8, false));
        Assert.DoesNotContain(TakeEvents(), e => e.Kind == StreamEventKind.Readable);
        Assert.Null(table.OnStreamFrame(RemoteUnidirectional, 0, "a"u8, false));
        Assert.Null(table.OnStreamFrame(RemoteUnidirectional, 2, "c"u8, false));
        Assert.Single(TakeEvents());
        Assert.Equal(new StreamRead(3, StreamStatus.Ok), table.Read(RemoteUnidirectional, new byte[10]));
        Assert.Null(table.OnStreamFrame(RemoteUnidirectional, 3, "d"u8, false));
        Assert.Empty(TakeEvents());
        Assert.Equal(new StreamRead(1, StreamStatus.Ok), table.Read(RemoteUnidirectional, new byte[10]));
        Assert.Equal(new StreamRead(0, StreamStatus.Blocked), table.Read(RemoteUnidirectional, new byte[10]));
        Assert.Null(table.OnStreamFrame(RemoteUnidirectional, 4, default, true));
        Assert.Single(TakeEvents());
    }

    [Fact]
    public void Stop_sending_is_answered_with_a_reset_of_what_was_sent() // §3.5
    {
        StreamTable table = Create();
        table.TryOpenStream(StreamDirection.Unidirectional, out StreamId id);
        table.Write(id, new byte[5000]);
        (_, SentFrame[] sent) = FrameDispatch.Take(table, 100);
        Assert.Null(table.OnStopSending(id, 42));
        Assert.Equal([new StreamEvent(StreamEventKind.Stopped, id, StreamDirection.Unidirectional, 42)], TakeEvents());
        Assert.Equal(new StreamWrite(0, StreamStatus.Stopped, 42), table.Write(id, new byte[1]));
        Assert.Equal(StreamStatus.Stopped, table.Finish(id));
        Assert.Equal(0, table.BufferedBytes);

        byte[] reset = FrameDispatch.Take(table, PacketLength).Bytes;
        Assert.Equal([0x04, (byte)id.Value, 42, 0x40, (byte)sent[0].B], reset); // the final size is all that was sent
        Assert.Null(table.OnStopSending(id, 43));
        Assert.Empty(TakeEvents());
    }

    [Fact]
    public void No_data_is_sent_after_a_reset_even_if_earlier_data_was_lost() // §3.1, §13.3
    {
        StreamTable table = Create();
        table.TryOpenStream(StreamDirection.Unidirectional, out StreamId id);
        table.Write(id, new byte[50]);
        SentFrame data = FrameDispatch.Take(table, PacketLength).Sent.Single();
        Assert.Equal(StreamStatus.Ok, table.Reset(id, 7));
        table.OnFrameLost(data);
        SentFrame reset = FrameDispatch.Take(table, PacketLength).Sent.Single();
        Assert.Equal(SentFrameKind.ResetStream, reset.Kind);
        Assert.False(table.HasPendingFrames);

        table.OnFrameLost(reset);
        Assert.Equal(reset, FrameDispatch.Take(table, PacketLength).Sent.Single());
        table.OnFrameAcknowledged(reset);
        Assert.Equal(0, table.LiveHalves);
        Assert.Equal(StreamStatus.Closed, table.Reset(id, 7));
        Assert.Empty(TakeEvents());
    }

    [Fact]
    public void Nothing_can_be_written_after_the_end() // §3.1
    {
        StreamTable table = Create();
        table.TryOpenStream(StreamDirection.Unidirectional, out StreamId id);
        Assert.Equal(StreamStatus.Ok, table.Finish(id));
        Assert.Equal(new StreamWrite(0, StreamStatus.Closed), table.Write(id, new byte[1]));
        Assert.Equal(StreamStatus.Closed, table.Finish(id));
    }

    [Fact]
    public void An_end_without_data_is_sent_and_repaired_without_credit()
    {
        StreamTable table = Create(peer: new StreamLimits(0, 0, 0, 0, 1, 1));
        table.TryOpenStream(StreamDirection.Unidirectional, out StreamId id);
        table.Finish(id);
        SentFrame end = FrameDispatch.Take(table, PacketLength).Sent.Single();
        Assert.Equal(new SentFrame(SentFrameKind.Stream, true, id.Value, 0, 0), end);
        Assert.False(table.HasPendingFrames);
        table.OnFrameLost(end);
        Assert.Equal(end, FrameDispatch.Take(table, PacketLength).Sent.Single());
        table.OnFrameAcknowledged(end);
        Assert.Equal([new StreamEvent(StreamEventKind.Finished, id, StreamDirection.Unidirectional)], TakeEvents());
        Assert.Equal(0, table.LiveHalves);
    }

    [Fact]
    public void Not_more_is_sent_on_a_stream_than_the_peer_allows() // §4.1
    {
        StreamTable table = Create(peer: new StreamLimits(1000, 0, 0, 100, 1, 1));
        table.TryOpenStream(StreamDirection.Unidirectional, out StreamId id);
        table.Write(id, new byte[500]);
        Assert.Equal(100UL, Sum(FrameDispatch.Take(table, PacketLength).Sent));
        Assert.False(table.HasPendingFrames);
        Assert.Null(table.OnMaxStreamData(id, 90)); // a lower limit does not count
        Assert.False(table.HasPendingFrames);
        Assert.Null(table.OnMaxStreamData(id, 130));
        Assert.Equal(30UL, Sum(FrameDispatch.Take(table, PacketLength).Sent));
    }

    [Fact]
    public void Not_more_is_sent_on_all_streams_than_the_peer_allows_but_losses_are_repaired() // §4.1
    {
        StreamTable table = Create(peer: new StreamLimits(150, 0, 0, 100, 0, 2));
        table.TryOpenStream(StreamDirection.Unidirectional, out StreamId first);
        table.TryOpenStream(StreamDirection.Unidirectional, out StreamId second);
        table.Write(first, new byte[100]);
        table.Write(second, new byte[100]);
        SentFrame[] sent = FrameDispatch.Take(table, PacketLength).Sent;
        Assert.Equal(150UL, Sum(sent));
        Assert.False(table.HasPendingFrames);
        table.OnFrameLost(sent[0]);
        Assert.True(table.HasPendingFrames);
        Assert.Equal(sent[0], FrameDispatch.Take(table, PacketLength).Sent.Single());
        table.OnMaxData(140); // a lower limit does not count
        Assert.False(table.HasPendingFrames);
        table.OnMaxData(1000);
        Assert.Equal(50UL, Sum(FrameDispatch.Take(table, PacketLength).Sent));
    }

    [Fact]
    public void The_peers_limits_for_each_kind_of_stream_are_told_apart() // §18.2
    {
        StreamTable table = Create(peer: new StreamLimits(1000, 11, 12, 13, 1, 1));
        table.TryOpenStream(StreamDirection.Bidirectional, out StreamId bidirectional);
        table.TryOpenStream(StreamDirection.Unidirectional, out StreamId unidirectional);
        Assert.Null(table.OnStreamDataBlocked(RemoteBidirectional));
        Assert.Equal(12UL, SentOn(bidirectional)); // remote to the peer
        Assert.Equal(13UL, SentOn(unidirectional));
        Assert.Equal(11UL, SentOn(RemoteBidirectional)); // local to the peer

        ulong SentOn(StreamId id)
        {
            table.Write(id, new byte[50]);
            return Sum(FrameDispatch.Take(table, PacketLength).Sent);
        }
    }

    [Fact]
    public void Streams_are_opened_up_to_the_peers_limit_and_it_is_told_once() // §4.6
    {
        StreamTable table = Create(peer: new StreamLimits(0, 0, 0, 0, 2, 0));
        Assert.True(table.TryOpenStream(StreamDirection.Bidirectional, out _));
        Assert.True(table.TryOpenStream(StreamDirection.Bidirectional, out _));
        Assert.False(table.HasPendingFrames);
        Assert.False(table.TryOpenStream(StreamDirection.Bidirectional, out _));
        Assert.False(table.TryOpenStream(StreamDirection.Bidirectional, out _));
        (byte[] bytes, SentFrame[] sent) = FrameDispatch.Take(table, PacketLength);
        Assert.Equal([0x16, 2], bytes);
        table.OnFrameLost(sent[0]);
        Assert.Equal([0x16, 2], FrameDispatch.Take(table, PacketLength).Bytes);

        table.OnMaxStreams(StreamDirection.Bidirectional, 1); // a lower limit does not count
        Assert.Empty(TakeEvents());
        table.OnMaxStreams(StreamDirection.Bidirectional, 3);
        Assert.Equal([new StreamEvent(StreamEventKind.StreamsAvailable, default, StreamDirection.Bidirectional)], TakeEvents());
        table.OnFrameLost(sent[0]); // no longer true
        Assert.False(table.HasPendingFrames);
        Assert.True(table.TryOpenStream(StreamDirection.Bidirectional, out StreamId id));
        Assert.Equal(2UL, id.Index);
    }

    [Fact]
    public void New_limits_are_announced_when_an_eighth_of_the_window_was_read() // §4.2
    {
        StreamTable table = Create(streamWindow: 800, window: 1600);
        Assert.Null(table.OnStreamFrame(RemoteUnidirectional, 0, new byte[400], false));
        table.Read(RemoteUnidirectional, new byte[99]);
        Assert.False(table.HasPendingFrames);
        table.Read(RemoteUnidirectional, new byte[1]);
        Assert.Equal(
            new SentFrame(SentFrameKind.MaxStreamData, false, RemoteUnidirectional.Value, 900, 0),
            FrameDispatch.Take(table, PacketLength).Sent.Single());
        table.Read(RemoteUnidirectional, new byte[100]);
        Assert.Equal(
            [
                new SentFrame(SentFrameKind.MaxData, false, 0, 1800, 0),
                new SentFrame(SentFrameKind.MaxStreamData, false, RemoteUnidirectional.Value, 1000, 0),
            ],
            FrameDispatch.Take(table, PacketLength).Sent);
    }

    [Fact]
    public void A_lost_limit_is_announced_again_only_if_it_is_the_newest() // §13.3
    {
        StreamTable table = Create(streamWindow: 800, window: 800);
        Assert.Null(table.OnStreamFrame(RemoteUnidirectional, 0, new byte[400], false));
        table.Read(RemoteUnidirectional, new byte[100]);
        SentFrame[] older = FrameDispatch.Take(table, PacketLength).Sent;
        table.Read(RemoteUnidirectional, new byte[100]);
        SentFrame[] newer = FrameDispatch.Take(table, PacketLength).Sent;
        foreach (SentFrame frame in older)
            table.OnFrameLost(frame);
        Assert.False(table.HasPendingFrames);
        table.Read(RemoteUnidirectional, new byte[10]);
        foreach (SentFrame frame in newer)
            table.OnFrameLost(frame);
        Assert.Equal([1010UL, 1010UL], FrameDispatch.Take(table, PacketLength).Sent.Select(f => f.A)); // what is current, not what was lost
    }

    [Fact]
    public void A_stream_whose_end_is_known_gets_no_more_limits() // §4.2
    {
        StreamTable table = Create(streamWindow: 800);
        Assert.Null(table.OnStreamFrame(RemoteUnidirectional, 0, new byte[700], false));
        table.Read(RemoteUnidirectional, new byte[600]);
        Assert.True(table.HasPendingFrames);
        Assert.Null(table.OnStreamFrame(RemoteUnidirectional, 700, default, true));
        Assert.False(table.HasPendingFrames);
    }

    [Fact]
    public void The_peer_may_open_new_streams_as_old_ones_end_in_both_halves() // §4.6
    {
        StreamTable table = Create(streams: 1);
        Assert.Null(table.OnStreamFrame(RemoteBidirectional, 0, default, true));
        Assert.True(table.TryAcceptStream(StreamDirection.Bidirectional, out StreamId id));
        Assert.Equal(StreamStatus.Finished, table.Read(id, new byte[1]).Status);
        Assert.False(table.HasPendingFrames);
        table.Finish(id);
        SentFrame end = FrameDispatch.Take(table, PacketLength).Sent.Single();
        Assert.Equal(TransportErrorCode.StreamLimitError, table.OnStreamFrame(Remote(StreamDirection.Bidirectional, 1), 0, default, true)?.Code);
        table.OnFrameAcknowledged(end);
        (byte[] bytes, SentFrame[] sent) = FrameDispatch.Take(table, PacketLength);
        Assert.Equal([0x12, 2], bytes);
        table.OnFrameLost(sent[0]);
        Assert.Equal([0x12, 2], FrameDispatch.Take(table, PacketLength).Bytes);
        Assert.Null(table.OnStreamFrame(Remote(StreamDirection.Bidirectional, 1), 0, default, true));
    }

    [Fact]
    public void An_application_that_stops_reading_sends_stop_sending_until_the_end_is_known() // §3.5
    {
        StreamTable table = Create(window: 1000);
        Assert.Null(table.OnStreamFrame(RemoteUnidirectional, 0, new byte[100], false));
        Assert.Equal(StreamStatus.Ok, table.StopSending(RemoteUnidirectional, 9));
        Assert.Equal(StreamStatus.Closed, table.StopSending(RemoteUnidirectional, 9));
        Assert.Equal(StreamStatus.Closed, table.Read(RemoteUnidirectional, new byte[1]).Status);
        Assert.Equal(0, table.BlockBytes);
        (byte[] bytes, SentFrame[] sent) = FrameDispatch.Take(table, PacketLength);
        Assert.Equal([0x05, (byte)RemoteUnidirectional.Value, 9], bytes);
        table.OnFrameLost(sent[0]);
        Assert.Equal(bytes, FrameDispatch.Take(table, PacketLength).Bytes);

        // What still comes is counted and thrown away, so other streams keep their share of the window.
        Assert.Null(table.OnStreamFrame(RemoteUnidirectional, 100, new byte[100], false));
        Assert.Equal(0, table.BlockBytes);
        Assert.Equal(1200UL, FrameDispatch.Take(table, PacketLength).Sent.Single(f => f.Kind == SentFrameKind.MaxData).A);
        Assert.Null(table.OnResetStream(RemoteUnidirectional, 9, 200));
        Assert.Equal(0, table.LiveHalves);
        Assert.DoesNotContain(TakeEvents(), e => e.Kind == StreamEventKind.ResetReceived);
    }

    [Fact]
    public void Stopping_a_stream_whose_end_is_known_ends_it_at_once()
    {
        StreamTable table = Create();
        Assert.Null(table.OnStreamFrame(RemoteUnidirectional, 5, new byte[5], true));
        Assert.Equal(StreamStatus.Ok, table.StopSending(RemoteUnidirectional, 9));
        Assert.False(table.HasPendingFrames);
        Assert.Equal(0, table.LiveHalves);
    }

    [Fact]
    public void A_frame_has_no_length_field_exactly_when_it_fills_the_packet() // §19.8
    {
        for (int data = 0; data < 150; data++)
        {
            for (int capacity = 60; capacity < 160; capacity++)
            {
                StreamTable table = Create();
                StreamTable peer = CreatePeer();
                table.TryOpenStream(StreamDirection.Unidirectional, out StreamId id);
                table.Write(id, new byte[data]);
                table.Finish(id);
                ulong carried = 0;
                while (table.HasPendingFrames)
                {
                    (byte[] bytes, SentFrame[] sent) = FrameDispatch.Take(table, capacity);
                    Assert.NotEmpty(bytes);
                    bool hasLength = (bytes[0] & 0x02) != 0;
                    Assert.True(hasLength || bytes.Length == capacity, $"{data} bytes in packets of {capacity}");
                    Assert.Null(FrameDispatch.Give(peer, bytes));
                    carried += sent.Single().B;
                }

                Assert.Equal((ulong)data, carried);
                int read = data == 0 ? 0 : peer.Read(id, new byte[200]).Count;
                Assert.Equal(data, read);
                Assert.Equal(StreamStatus.Finished, peer.Read(id, new byte[1]).Status);
            }
        }
    }

    [Fact]
    public void A_packet_with_too_little_room_is_left_alone()
    {
        StreamTable table = Create();
        table.TryOpenStream(StreamDirection.Unidirectional, out StreamId id);
        table.Write(id, new byte[1000]);
        for (int capacity = 0; capacity < 30; capacity++)
            Assert.Empty(FrameDispatch.Take(table, capacity).Bytes);
        Assert.True(table.HasPendingFrames);
    }

    [Fact]
    public void A_hundred_streams_get_their_share_in_turn()
    {
        StreamTable table = Create(peer: new StreamLimits(1 << 30, 1 << 20, 1 << 20, 1 << 20, 100, 100));
        var ids = new StreamId[100];
        for (int i = 0; i < 100; i++)
        {
            table.TryOpenStream(StreamDirection.Unidirectional, out ids[i]);
            table.Write(ids[i], new byte[60_000]);
        }

        var carried = new Dictionary<ulong, ulong>();
        for (int packet = 0; packet < 1000; packet++)
        {
            foreach (SentFrame frame in FrameDispatch.Take(table, PacketLength).Sent)
                carried[frame.Id] = carried.GetValueOrDefault(frame.Id) + frame.B;
        }

        Assert.Equal(100, carried.Count);
        Assert.InRange(carried.Values.Max() - carried.Values.Min(), 0UL, 4096UL + PacketLength);
    }

    [Fact]
    public void A_writer_is_stopped_at_the_window_of_its_stream_and_woken_when_an_eighth_is_free()
    {
        StreamTable table = Create(sendWindow: 800);
        table.TryOpenStream(StreamDirection.Unidirectional, out StreamId id);
        Assert.Equal(new StreamWrite(800, StreamStatus.Blocked), table.Write(id, new byte[900]));
        Assert.Equal(new StreamWrite(0, StreamStatus.Blocked), table.Write(id, new byte[1]));
        SentFrame[] sent = [.. Enumerable.Range(0, 10).SelectMany(_ => FrameDispatch.Take(table, 92).Sent)];
        table.OnFrameAcknowledged(sent[0]);
        Assert.Empty(TakeEvents());
        table.OnFrameAcknowledged(sent[1]);
        Assert.Equal([new StreamEvent(StreamEventKind.Writable, id, StreamDirection.Unidirectional)], TakeEvents());
        table.OnFrameAcknowledged(sent[2]);
        Assert.Empty(TakeEvents());
    }

    [Fact]
    public void A_writer_is_stopped_at_the_window_of_all_streams_and_woken_by_any_of_them()
    {
        StreamTable table = Create(sendWindow: 800, sendWindowOfAll: 1000);
        table.TryOpenStream(StreamDirection.Unidirectional, out StreamId first);
        table.TryOpenStream(StreamDirection.Unidirectional, out StreamId second);
        Assert.Equal(new StreamWrite(700, StreamStatus.Ok), table.Write(first, new byte[700]));
        Assert.Equal(new StreamWrite(300, StreamStatus.Blocked), table.Write(second, new byte[400]));
        table.Reset(first, 0);
        Assert.Equal([new StreamEvent(StreamEventKind.Writable, second, StreamDirection.Unidirectional)], TakeEvents());
        Assert.Equal(300, table.BufferedBytes);
    }

    [Fact]
    public void Nothing_can_be_opened_before_the_peers_parameters_are_known()
    {
        var table = new StreamTable(Side.Client, new StreamConfiguration(), _events);
        Assert.False(table.TryOpenStream(StreamDirection.Bidirectional, out _));
        Assert.False(table.HasPendingFrames);
        table.OnPeerParameters(new StreamConfiguration().Local);
        Assert.Equal([new StreamEvent(StreamEventKind.StreamsAvailable, default, StreamDirection.Bidirectional)], TakeEvents());
        Assert.True(table.TryOpenStream(StreamDirection.Bidirectional, out _));
    }

    [Fact]
    public void Higher_real_parameters_after_remembered_ones_let_waiting_data_go() // §7.4.1
    {
        StreamTable table = Create(peer: new StreamLimits(100, 10, 10, 10, 1, 1));
        table.TryOpenStream(StreamDirection.Unidirectional, out StreamId id);
        table.Write(id, new byte[50]);
        Assert.Equal(10UL, Sum(FrameDispatch.Take(table, PacketLength).Sent));
        table.OnPeerParameters(new StreamLimits(100, 10, 10, 30, 1, 1));
        Assert.Equal(20UL, Sum(FrameDispatch.Take(table, PacketLength).Sent));
    }

    [Fact]
    public void A_recycled_stream_remembers_nothing()
    {
        StreamTable table = Create();
        for (ulong index = 0; index < 3; index++)
        {
            StreamId id = Remote(StreamDirection.Unidirectional, index);
            Assert.Null(table.OnStreamFrame(id, 0, "abc"u8, false));
            Assert.Equal(new StreamRead(3, StreamStatus.Ok), table.Read(id, new byte[10]));
            Assert.Null(table.OnResetStream(id, 5, 3));
            Assert.Equal(new StreamRead(0, StreamStatus.Reset, 5), table.Read(id, new byte[10]));

            Assert.True(table.TryOpenStream(StreamDirection.Unidirectional, out id));
            Assert.Equal(new StreamWrite(3, StreamStatus.Ok), table.Write(id, "abc"u8));
            Assert.Null(table.OnStopSending(id, 6));
            table.OnFrameAcknowledged(FrameDispatch.Take(table, PacketLength).Sent.Single());
            Assert.Equal(0, table.LiveHalves);
        }
    }

    [Fact]
    public void Limits_beyond_what_the_tables_are_made_for_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Create(streams: StreamConfiguration.StreamsMax + 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => Create(streamWindow: StreamConfiguration.StreamReceiveWindowMax + 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => Create(window: 1UL << 62));
        Assert.Throws<ArgumentOutOfRangeException>(() => Create(sendWindow: 0));

        StreamTable table = Create(streams: StreamConfiguration.StreamsMax);
        Assert.Null(table.OnStreamFrame(Remote(StreamDirection.Unidirectional, StreamConfiguration.StreamsMax - 1), 0, "x"u8, false));
        Assert.Equal((int)StreamConfiguration.StreamsMax, table.LiveHalves);
        Assert.Equal(BlockPool.BlockLength, table.BlockBytes);
    }

    private static ulong Sum(SentFrame[] sent) =>
        sent.Aggregate(0UL, (sum, frame) => sum + (frame.Kind == SentFrameKind.Stream ? frame.B : 0));

    private static StreamId Remote(StreamDirection direction, ulong index) => StreamId.Create(Side.Server, direction, index);

    private static StreamTable CreatePeer() => new(Side.Server, new StreamConfiguration(), new Queue<StreamEvent>());

    private StreamTable Create(
        ulong streamWindow = 1_250_000, ulong window = 16 << 20, ulong streams = 100,
        int sendWindow = 1 << 20, long sendWindowOfAll = 10_000_000, StreamLimits? peer = null)
    {
        var configuration = new StreamConfiguration
        {
            Local = new StreamLimits(window, streamWindow, streamWindow, streamWindow, streams, streams),
            StreamSendWindow = sendWindow,
            SendWindow = sendWindowOfAll,
        };
        var table = new StreamTable(Side.Client, configuration, _events);
        table.OnPeerParameters(peer ?? new StreamConfiguration().Local);
        return table;
    }

    private StreamEvent[] TakeEvents()
    {
        StreamEvent[] events = [.. _events];
        _events.Clear();
        return events;
    }
}
