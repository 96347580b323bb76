using Iroh.Relay.Server.Clients;

namespace Iroh.Relay.Server.Tests.Clients;

public sealed class ClientTimersTests
{
    private static readonly TimeSpan s_jitter = TimeSpan.FromSeconds(3);

    private readonly ClientTimers _timers = new(s_jitter);

    [Fact]
    public void A_silent_client_is_pinged_after_interval_and_jitter_and_given_up_without_a_pong()
    {
        Assert.Equal(ClientDue.Nothing, At(17.9));
        Assert.Equal(ClientDue.Ping, At(18));
        Assert.Equal(ClientDue.Nothing, At(18.1));
        Assert.Equal(ClientDue.Nothing, At(22.9));
        Assert.Equal(ClientDue.GivenUp, At(23));
    }

    [Fact]
    public void Any_frame_puts_the_ping_off()
    {
        _timers.OnReceived(TimeSpan.FromSeconds(10));
        Assert.Equal(ClientDue.Nothing, At(27.9));
        Assert.Equal(ClientDue.Ping, At(28));
    }

    [Fact]
    public void A_pong_makes_all_well_again()
    {
        Assert.Equal(ClientDue.Ping, At(18));
        _timers.OnReceived(TimeSpan.FromSeconds(20));
        _timers.OnPong();
        Assert.Equal(ClientDue.Nothing, At(37.9));
        Assert.Equal(ClientDue.Ping, At(38));
    }

    [Fact]
    public void Other_frames_give_a_pong_more_time_but_not_for_ever()
    {
        Assert.Equal(ClientDue.Ping, At(18));
        _timers.OnReceived(TimeSpan.FromSeconds(22));
        Assert.Equal(ClientDue.Nothing, At(26.9));
        Assert.Equal(ClientDue.GivenUp, At(27));
    }

    [Fact]
    public void Who_takes_nothing_for_two_seconds_is_given_up()
    {
        Assert.Equal(ClientDue.Nothing, _timers.Check(TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(3.1)));
        Assert.Equal(ClientDue.GivenUp, _timers.Check(TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(3)));
    }

    private ClientDue At(double seconds) => _timers.Check(TimeSpan.FromSeconds(seconds), null);
}
