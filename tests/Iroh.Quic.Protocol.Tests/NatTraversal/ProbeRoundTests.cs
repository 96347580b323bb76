using Iroh.Quic.Protocol.NatTraversal;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Tests.NatTraversal;

public class ProbeRoundTests
{
    private static readonly Instant Start = new(1_000_000_000);
    private static readonly NetworkAddress First = NetworkAddress.FromIPv4([192, 0, 2, 1], 1000);
    private static readonly NetworkAddress Second = NetworkAddress.FromIPv4([192, 0, 2, 2], 2000);

    private readonly ProbeRound _round = new(32, TimeSpan.FromMilliseconds(333));
    private ulong _challenge;

    [Fact]
    public void Each_address_is_probed_nine_times_at_growing_intervals()
    {
        _round.Add(Start, First);
        _round.Add(Start, Second);
        var times = new List<double>();
        Instant now = Start;
        while (true)
        {
            int sent = SendAll();
            if (sent > 0)
                times.Add(Math.Round((now - Start).TotalMilliseconds, 1));
            Assert.True(sent is 2, "both addresses together");
            if (_round.NextTimeout == Instant.Never)
                break;
            now = _round.NextTimeout;
            _round.HandleTimeout(now);
        }

        Assert.Equal([0, 33.3, 66.6, 133.2, 266.4, 532.8, 1065.6, 2131.2, 4131.2], times);
    }

    [Fact]
    public void An_answer_counts_only_from_the_address_that_was_probed_and_in_its_round()
    {
        _round.Add(Start, First);
        _round.Add(Start, Second);
        _round.OnSent(First, new SentProbe(1, Start));
        _round.OnSent(Second, new SentProbe(2, Start));
        Assert.False(_round.OnResponse(First, 2, out _));
        Assert.False(_round.OnResponse(NetworkAddress.FromIPv4([192, 0, 2, 1], 1001), 1, out _));
        Assert.True(_round.OnResponse(First, 1, out _));
        _round.Begin();
        _round.Add(Start, Second);
        _round.OnSent(Second, new SentProbe(3, Start));
        Assert.False(_round.OnResponse(Second, 2, out _));
        Assert.True(_round.OnResponse(Second, 3, out _));
    }

    [Fact]
    public void An_answer_to_an_earlier_probe_of_the_round_counts_as_well()
    {
        _round.Add(Start, First);
        _round.OnSent(First, new SentProbe(1, Start));
        _round.HandleTimeout(_round.NextTimeout);
        _round.OnSent(First, new SentProbe(2, Start));
        Assert.True(_round.OnResponse(First, 1, out _));
    }

    [Fact]
    public void Who_answered_or_was_taken_back_is_probed_no_more()
    {
        _round.Add(Start, First);
        _round.Add(Start, Second);
        _round.OnSent(First, new SentProbe(1, Start));
        _round.OnSent(Second, new SentProbe(2, Start));
        Assert.True(_round.OnResponse(First, 1, out _));
        _round.HandleTimeout(_round.NextTimeout);
        Assert.True(_round.TryPeek(out NetworkAddress address));
        Assert.Equal(Second, address);
        _round.Remove(Second);
        Assert.False(_round.TryPeek(out _));
        _round.HandleTimeout(_round.NextTimeout);
        Assert.Equal(Instant.Never, _round.NextTimeout);
        Assert.True(_round.Contains(First));
    }

    [Fact]
    public void A_round_takes_no_more_addresses_than_its_limit_even_one_after_the_other()
    {
        for (int i = 0; i < 100; i++)
        {
            NetworkAddress address = NetworkAddress.FromIPv4([192, 0, 2, (byte)i], 1000);
            _round.Add(Start, address);
            _round.Remove(address);
        }

        Assert.Equal(32, _round.TargetCount);
        Assert.True(_round.IsFull);
    }

    [Fact]
    public void A_probe_that_could_not_leave_is_not_owed_twice()
    {
        _round.Add(Start, First);
        _round.HandleTimeout(_round.NextTimeout);
        _round.HandleTimeout(_round.NextTimeout);
        Assert.Equal(1, SendAll());
    }

    [Fact]
    public void An_address_that_joins_late_is_probed_at_once()
    {
        _round.Add(Start, First);
        SendAll();
        Instant before = _round.NextTimeout;
        _round.Add(Start + TimeSpan.FromMilliseconds(10), Second);
        Assert.Equal(before, _round.NextTimeout);
        Assert.True(_round.TryPeek(out NetworkAddress address));
        Assert.Equal(Second, address);
    }

    private int SendAll()
    {
        int count = 0;
        while (_round.TryPeek(out NetworkAddress address))
        {
            _round.OnSent(address, new SentProbe(++_challenge, Start));
            count++;
        }

        return count;
    }
}
