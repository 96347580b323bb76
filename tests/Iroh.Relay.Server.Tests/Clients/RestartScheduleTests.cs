using Iroh.Relay.Server.Clients;

namespace Iroh.Relay.Server.Tests.Clients;

public sealed class RestartScheduleTests
{
    [Fact]
    public void A_single_client_is_closed_at_once() => Assert.Equal(TimeSpan.Zero, RestartSchedule.For(0, 1, 0.5).CloseIn);

    [Theory]
    [InlineData(1)]
    [InlineData(1_000)]
    [InlineData(100_000)]
    public void Many_are_spread_evenly_and_come_back_after_they_were_closed(int clients)
    {
        TimeSpan before = TimeSpan.Zero;
        for (int i = 0; i < clients; i++)
        {
            (TimeSpan closeIn, TimeSpan reconnectIn) = RestartSchedule.For(i, clients, (i % 100) / 100.0);
            Assert.InRange(closeIn, before, RestartSchedule.SpreadMax);
            Assert.InRange(reconnectIn, closeIn + TimeSpan.FromMilliseconds(500), closeIn + TimeSpan.FromSeconds(1));
            before = closeIn;
        }

        Assert.InRange(before, RestartSchedule.Spread(clients) * 0.99 - TimeSpan.FromMilliseconds(1), RestartSchedule.SpreadMax);
    }
}
