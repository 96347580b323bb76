using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Timers;

namespace Iroh.Quic.Protocol.Tests.Timers;

public class IdleTimeoutTests
{
    private static readonly TimeSpan ProbeTimeout = TimeSpan.FromMilliseconds(100);
    private static readonly Instant Now = new(1_000_000_000);

    [Theory]
    [InlineData(30, 10, 10)]
    [InlineData(10, 30, 10)]
    [InlineData(0, 10, 10)]
    [InlineData(10, 0, 10)]
    public void The_smaller_value_counts_and_zero_is_none(int local, int peer, int expected)
    {
        var idle = new IdleTimeout(TimeSpan.FromSeconds(local));
        idle.OnPeerParameters(TimeSpan.FromSeconds(peer));
        Assert.Equal(Now + TimeSpan.FromSeconds(expected), idle.OnPacketReceived(Now, ProbeTimeout));
    }

    [Fact]
    public void Without_a_limit_at_either_end_nothing_expires()
    {
        var idle = new IdleTimeout(TimeSpan.Zero);
        idle.OnPeerParameters(TimeSpan.Zero);
        Assert.Equal(Instant.Never, idle.OnPacketReceived(Now, ProbeTimeout));
    }

    [Fact]
    public void Three_probe_timeouts_are_the_least()
    {
        var idle = new IdleTimeout(TimeSpan.FromMilliseconds(50));
        Assert.Equal(Now + (3 * ProbeTimeout), idle.OnPacketReceived(Now, ProbeTimeout));
    }

    [Fact]
    public void Only_the_first_packet_sent_since_one_came_restarts_the_timer()
    {
        var idle = new IdleTimeout(TimeSpan.FromSeconds(1));
        Instant first = idle.OnPacketReceived(Now, ProbeTimeout);
        Instant second = idle.OnAckElicitingSent(Now + TimeSpan.FromMilliseconds(500), ProbeTimeout, first);
        Assert.Equal(Now + TimeSpan.FromMilliseconds(1500), second);
        Assert.Equal(second, idle.OnAckElicitingSent(Now + TimeSpan.FromMilliseconds(900), ProbeTimeout, second));
    }
}
