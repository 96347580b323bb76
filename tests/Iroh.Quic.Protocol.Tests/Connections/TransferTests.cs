using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Datagrams;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Streams;
using Iroh.Quic.Protocol.Tests.Simulation;

namespace Iroh.Quic.Protocol.Tests.Connections;

public class TransferTests
{
    [Fact]
    public void A_stream_carries_data_both_ways()
    {
        Pair pair = Transfer(new LinkConditions(), [(StreamDirection.Bidirectional, 3_000_000)], []);
        Assert.Equal(0UL, pair.ClientSide.Connection.Statistics.PacketsLost);
        Assert.Empty(pair.ServerTrace.Drops);
        Assert.Equal(pair.Client.SegmentsMax, pair.Client.LargestBatch);
    }

    [Fact]
    public void A_hundred_streams_at_once()
    {
        var streams = new (StreamDirection, long)[100];
        for (int i = 0; i < streams.Length; i++)
            streams[i] = ((StreamDirection)(i % 2), i * 1000);
        Transfer(new LinkConditions { LossRate = 0.02 }, streams, streams);
    }

    [Fact]
    public void More_streams_than_the_peer_allows_at_once_take_turns()
    {
        var streams = new (StreamDirection, long)[500];
        Array.Fill(streams, (StreamDirection.Bidirectional, 100));
        Transfer(new LinkConditions(), streams, []);
    }

    [Fact]
    public void A_slow_link_is_filled_and_not_flooded()
    {
        var conditions = new LinkConditions { BytesPerSecond = 1_250_000, Latency = TimeSpan.FromMilliseconds(20) };
        Pair pair = Transfer(conditions, [(StreamDirection.Unidirectional, 5_000_000)], []);
        TimeSpan took = pair.Network.Now - new Instant(1_000_000_000_000);
        Assert.InRange(took.TotalSeconds, 4, 6);
        ConnectionStatistics statistics = pair.ClientSide.Connection.Statistics;
        Assert.True(statistics.PacketsLost < statistics.PacketsSent / 20, $"{statistics.PacketsLost} of {statistics.PacketsSent} lost");
    }

    [Fact]
    public void Marks_of_congestion_take_the_place_of_losses()
    {
        var conditions = new LinkConditions
        {
            BytesPerSecond = 1_250_000, Latency = TimeSpan.FromMilliseconds(20), MarkAfter = TimeSpan.FromMilliseconds(20),
        };
        Pair pair = Transfer(conditions, [(StreamDirection.Unidirectional, 5_000_000)], []);
        ConnectionStatistics statistics = pair.ClientSide.Connection.Statistics;
        Assert.True(statistics.CongestionEvents > 0);
        Assert.Equal(0UL, statistics.PacketsLost);
    }

    [Fact]
    public void Datagrams_arrive_once_and_whole()
    {
        Pair pair = new Pair().Establish();
        Connection client = pair.ClientSide.Connection, server = pair.ServerSide.Connection;
        byte[] sent = new byte[client.MaxDatagramSize];
        pair.Random.Fill(sent);
        Assert.Equal(DatagramSend.Ok, client.SendDatagram(sent));
        Assert.Equal(DatagramSend.Ok, client.SendDatagram(default));
        Assert.Equal(DatagramSend.TooLarge, client.SendDatagram(new byte[sent.Length + 1]));
        pair.Drain();
        pair.RunUntil(() => pair.ServerSide.Has(ConnectionEventKind.DatagramReceived));
        byte[] buffer = new byte[2000];
        Assert.True(server.TryReceiveDatagram(buffer, out int length));
        Assert.Equal(sent, buffer[..length]);
        pair.RunFor(TimeSpan.FromMilliseconds(50));
        Assert.True(server.TryReceiveDatagram(buffer, out length));
        Assert.Equal(0, length);
        Assert.False(server.TryReceiveDatagram(buffer, out _));
        Assert.Single(pair.ServerSide.Events, e => e.Kind == ConnectionEventKind.DatagramReceived);
        client.SendDatagram("again"u8);
        pair.Drain();
        pair.RunFor(TimeSpan.FromMilliseconds(50));
        Assert.Equal(2, pair.ServerSide.Events.Count(e => e.Kind == ConnectionEventKind.DatagramReceived));
    }

    [Fact]
    public void A_full_datagram_queue_says_when_it_has_room()
    {
        Pair pair = new Pair().Establish();
        Connection client = pair.ClientSide.Connection;
        byte[] data = new byte[1000];
        while (client.SendDatagram(data) == DatagramSend.Ok)
        {
        }

        pair.Drain();
        pair.RunUntil(() => pair.ClientSide.Has(ConnectionEventKind.DatagramsUnblocked));
        Assert.Equal(DatagramSend.Ok, client.SendDatagram(data));
    }

    [Fact]
    public void A_reader_that_stops_and_a_writer_that_resets_are_heard_with_their_codes()
    {
        Pair pair = new Pair().Establish();
        Connection client = pair.ClientSide.Connection, server = pair.ServerSide.Connection;
        Assert.True(client.TryOpenStream(StreamDirection.Bidirectional, out StreamId id));
        client.Write(id, "question"u8);
        pair.Drain();
        pair.RunFor(TimeSpan.FromMilliseconds(30));
        Assert.True(server.TryAcceptStream(StreamDirection.Bidirectional, out _));
        server.StopSending(id, 11);
        server.Reset(id, 22);
        pair.Drain();
        pair.RunFor(TimeSpan.FromMilliseconds(30));
        Assert.Contains(pair.ClientSide.Events, e => e.Kind == ConnectionEventKind.StreamStopped && e.Code == 11 && e.StreamId == id);
        Assert.Equal(new StreamWrite(0, StreamStatus.Stopped, 11), client.Write(id, "more"u8));
        Assert.Equal(new StreamRead(0, StreamStatus.Reset, 22), client.Read(id, new byte[10]));
    }

    private static Pair Transfer(
        LinkConditions conditions, (StreamDirection, long)[] fromClient, (StreamDirection, long)[] fromServer)
    {
        var client = new TransferApplication(fromClient) { StreamsExpected = fromServer.Length };
        var server = new TransferApplication(fromServer) { StreamsExpected = fromClient.Length };
        var pair = new Pair(conditions: conditions) { ServerApplication = server };
        pair.Connect(client);
        pair.RunUntil(() => client.IsComplete && server.IsComplete);
        return pair;
    }
}
