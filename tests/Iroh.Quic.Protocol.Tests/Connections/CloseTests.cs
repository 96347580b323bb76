using System.Text;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Tests.Simulation;

namespace Iroh.Quic.Protocol.Tests.Connections;

public class CloseTests
{
    [Theory]
    [InlineData(Side.Client)]
    [InlineData(Side.Server)]
    public void The_other_end_learns_code_and_reason_and_both_drain(Side side)
    {
        Pair pair = new Pair().Establish();
        (SimulatedConnection closer, SimulatedConnection other) =
            side == Side.Client ? (pair.ClientSide, pair.ServerSide) : (pair.ServerSide, pair.ClientSide);
        closer.Connection.Close(pair.Network.Now, 42, "that is all"u8);
        Assert.Equal(CloseCause.LocalApplication, closer.Connection.CloseReason!.Cause);
        pair.Drain();
        pair.RunUntil(() => other.Has(ConnectionEventKind.Closed));
        Assert.Equal(new CloseReason(CloseCause.PeerApplication, 42, 0, other.Connection.CloseReason!.Reason), other.Connection.CloseReason);
        Assert.Equal("that is all", other.Connection.CloseReason.ReasonText);
        pair.RunUntilQuiet();
        Assert.True(closer.Connection.IsDrained && other.Connection.IsDrained);
        Assert.Equal(0, pair.Client.Core.ConnectionCount + pair.Server.Core.ConnectionCount);
    }

    [Fact]
    public void A_received_close_is_answered_once()
    {
        Pair pair = new Pair().Establish();
        pair.RunFor(TimeSpan.FromSeconds(1));
        pair.ClientSide.Connection.Close(pair.Network.Now, 0, default);
        long before = pair.Network.DatagramsSent;
        pair.Drain();
        pair.RunUntilQuiet();
        Assert.Equal(2, pair.Network.DatagramsSent - before);
    }

    [Fact]
    public void The_last_acknowledgements_and_the_close_get_through_a_long_reason()
    {
        Pair pair = new Pair().Establish();
        byte[] reason = Encoding.UTF8.GetBytes(new string('ä', 2000));
        pair.ServerSide.Connection.Close(pair.Network.Now, 1, reason);
        pair.Drain();
        pair.RunUntilQuiet();
        string received = pair.ClientSide.Connection.CloseReason!.ReasonText;
        Assert.InRange(received.Length, 500, 600);
        Assert.Equal(new string('ä', received.Length), received);
    }

    [Fact]
    public void A_client_that_closes_before_the_handshake_is_complete_tells_only_that_it_was_the_application()
    {
        var pair = new Pair();
        pair.Connect();
        pair.RunFor(pair.Network.Conditions.Latency); // the server has answered
        pair.ClientSide.Connection.Close(pair.Network.Now, 42, "secret"u8);
        pair.Drain();
        pair.RunUntilQuiet();
        CloseReason reason = pair.ServerSide.Connection.CloseReason!;
        Assert.Equal(CloseCause.PeerTransport, reason.Cause);
        Assert.Equal(TransportErrorCode.ApplicationError, reason.Code);
        Assert.True(reason.Reason.IsEmpty);
        Assert.True(pair.ServerSide.Connection.IsDrained);
    }

    [Fact]
    public void A_client_that_closes_before_anything_was_answered_leaves_no_half_open_server()
    {
        var pair = new Pair();
        pair.Connect();
        pair.ClientSide.Connection.Close(pair.Network.Now, 42, default);
        pair.Drain();
        pair.RunUntilQuiet();
        Assert.True(pair.ClientSide.Connection.IsDrained);
        Assert.Equal(0, pair.Server.Core.ConnectionCount);
        Assert.Equal(TransportErrorCode.ApplicationError, pair.ServerSide.Connection.CloseReason!.Code);
    }

    [Fact]
    public void A_server_that_closes_during_the_handshake_is_heard_at_every_level()
    {
        var pair = new Pair();
        pair.Connect();
        pair.RunUntil(() => pair.Server.Connections.Count == 1);
        pair.ServerSide.Connection.Close(pair.Network.Now, 42, default);
        pair.Drain();
        pair.RunUntilQuiet();
        CloseReason reason = pair.ClientSide.Connection.CloseReason!;
        Assert.Equal(TransportErrorCode.ApplicationError, reason.Code);
        Assert.Equal(CloseCause.PeerTransport, reason.Cause);
    }

    [Fact]
    public void The_close_is_repeated_ever_more_rarely_to_a_peer_that_goes_on_sending()
    {
        Pair pair = new Pair().Establish();
        pair.RunFor(TimeSpan.FromSeconds(1));
        bool isDeaf = true;
        int closes = 0, packets = 0;
        pair.Network.Intercept = datagram =>
        {
            bool fromServer = datagram.Source == Pair.ServerAddress;
            closes += fromServer ? 1 : 0;
            packets += fromServer ? 0 : 1;
            return !(fromServer && isDeaf);
        };
        pair.ServerSide.Connection.Close(pair.Network.Now, 7, default);
        for (int i = 0; i < 31; i++)
        {
            pair.ClientSide.Connection.SendDatagram("still there?"u8);
            pair.Drain();
            pair.RunFor(TimeSpan.FromMilliseconds(1));
        }

        pair.RunFor(pair.Network.Conditions.Latency);
        Assert.InRange(closes, 3, 1 + 6);
        isDeaf = false;
        pair.RunUntilQuiet();
        Assert.True(pair.ServerSide.Connection.IsDrained);
    }

    [Fact]
    public void Both_may_close_at_once()
    {
        Pair pair = new Pair().Establish();
        pair.ClientSide.Connection.Close(pair.Network.Now, 1, default);
        pair.ServerSide.Connection.Close(pair.Network.Now, 2, default);
        pair.Drain();
        pair.RunUntilQuiet();
        Assert.Equal(1UL, pair.ClientSide.Connection.CloseReason!.Code);
        Assert.Equal(2UL, pair.ServerSide.Connection.CloseReason!.Code);
        Assert.True(pair.ClientSide.Connection.IsDrained && pair.ServerSide.Connection.IsDrained);
    }

    [Fact]
    public void What_arrived_before_the_close_can_still_be_read()
    {
        Pair pair = new Pair().Establish();
        Connection client = pair.ClientSide.Connection, server = pair.ServerSide.Connection;
        Assert.True(client.TryOpenStream(StreamDirection.Unidirectional, out StreamId id));
        client.Write(id, "last words"u8);
        pair.Drain();
        pair.RunFor(TimeSpan.FromMilliseconds(15));
        client.Close(pair.Network.Now, 0, default);
        pair.Drain();
        pair.RunUntilQuiet();
        byte[] buffer = new byte[100];
        Assert.True(server.TryAcceptStream(StreamDirection.Unidirectional, out StreamId accepted));
        Assert.Equal("last words".Length, server.Read(accepted, buffer).Count);
    }
}
