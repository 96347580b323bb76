using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Tests.Simulation;

namespace Iroh.Quic.Protocol.Tests.Connections;

public class IdleTests
{
    [Theory]
    [InlineData(30, 30, 30)]
    [InlineData(10, 30, 10)]
    [InlineData(30, 10, 10)]
    [InlineData(0, 10, 10)]
    public void Silence_ends_a_connection_after_the_smaller_timeout(int client, int server, int expected)
    {
        var pair = new Pair();
        pair.ClientConfiguration = pair.ClientConfiguration with { MaxIdleTimeout = TimeSpan.FromSeconds(client) };
        pair.ServerConfiguration = pair.ServerConfiguration with { MaxIdleTimeout = TimeSpan.FromSeconds(server) };
        pair.Establish();
        Instant start = pair.Network.Now;
        pair.RunUntilQuiet();
        Assert.Equal(CloseCause.IdleTimeout, pair.ClientSide.Connection.CloseReason!.Cause);
        Assert.Equal(CloseCause.IdleTimeout, pair.ServerSide.Connection.CloseReason!.Cause);
        Assert.InRange((pair.Network.Now - start).TotalSeconds, expected - 0.1, expected + 1);
    }

    [Fact]
    public void An_idle_pair_sends_nothing()
    {
        Pair pair = new Pair().Establish();
        pair.RunFor(TimeSpan.FromSeconds(2));
        long before = pair.Network.DatagramsSent;
        pair.RunFor(TimeSpan.FromSeconds(25));
        Assert.Equal(before, pair.Network.DatagramsSent);
    }

    [Fact]
    public void Keep_alive_at_one_end_keeps_both()
    {
        var pair = new Pair();
        pair.ClientConfiguration = pair.ClientConfiguration with { KeepAliveInterval = TimeSpan.FromSeconds(5) };
        pair.Establish();
        pair.RunFor(TimeSpan.FromMinutes(10));
        Assert.Equal(ConnectionPhase.Established, pair.ClientSide.Connection.Phase);
        Assert.Equal(ConnectionPhase.Established, pair.ServerSide.Connection.Phase);
        ulong sent = pair.ClientSide.Connection.Statistics.DatagramsSent;
        Assert.InRange(sent, 115UL, 140UL); // one each five seconds
    }

    [Fact]
    public void A_peer_that_vanishes_is_given_up_although_probes_go_on()
    {
        var pair = new Pair();
        pair.ClientConfiguration = pair.ClientConfiguration with { KeepAliveInterval = TimeSpan.FromSeconds(5) };
        pair.Establish();
        pair.Network.Intercept = _ => false;
        Instant start = pair.Network.Now;
        pair.RunUntil(() => pair.ClientSide.Connection.IsDrained);
        Assert.Equal(CloseCause.IdleTimeout, pair.ClientSide.Connection.CloseReason!.Cause);
        Assert.InRange((pair.Network.Now - start).TotalSeconds, 29, 37); // the first keep-alive restarts the timer once
    }
}
