using Iroh.Quic.Protocol.Paths;

namespace Iroh.Quic.Protocol.Tests.Paths;

public class AmplificationLimitTests
{
    [Fact]
    public void Rfc9000_8_1_three_times_what_was_received_may_be_sent()
    {
        AmplificationLimit limit = new(isValidated: false);
        Assert.True(limit.IsExhausted);
        limit.OnDatagramReceived(1200);
        Assert.Equal(3600, limit.Budget);
        limit.OnDatagramSent(1200);
        limit.OnDatagramSent(1200);
        Assert.Equal(1200, limit.Budget);
        Assert.False(limit.IsExhausted);
        limit.OnDatagramSent(1200);
        Assert.True(limit.IsExhausted);
        limit.OnDatagramReceived(100);
        Assert.Equal(300, limit.Budget);
    }

    [Fact]
    public void More_than_the_budget_sent_is_owed()
    {
        AmplificationLimit limit = new(isValidated: false);
        limit.OnDatagramReceived(100);
        limit.OnDatagramSent(1200);
        Assert.Equal(0, limit.Budget);
        limit.OnDatagramReceived(300);
        Assert.Equal(0, limit.Budget);
        limit.OnDatagramReceived(1);
        Assert.Equal(3, limit.Budget);
    }

    [Fact]
    public void A_validated_address_has_no_limit()
    {
        AmplificationLimit limit = new(isValidated: false);
        limit.OnValidated();
        limit.OnDatagramSent(1_000_000);
        Assert.Equal(long.MaxValue, limit.Budget);
        Assert.True(new AmplificationLimit(isValidated: true).IsValidated);
    }
}
