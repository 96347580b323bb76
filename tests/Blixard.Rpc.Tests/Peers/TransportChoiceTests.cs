using Blixard.Rpc.Calls;
using Blixard.Rpc.Peers;
using Iroh.Cryptography;

namespace Blixard.Rpc.Tests.Peers;

public sealed class TransportChoiceTests
{
    private static readonly TimeSpan Probation = TimeSpan.FromSeconds(5);
    private readonly TransportChoice _choice = new(Probation);

    [Fact]
    public void It_begins_with_gRPC_and_takes_P2P_as_soon_as_the_link_is_ready()
    {
        Assert.Equal(RpcTransport.Grpc, _choice.Current);
        Assert.Equal(Switch(RpcTransport.P2p, TransportSwitchReason.LinkReady, 1), _choice.OnLinkReady(At(1)));
        Assert.Equal(RpcTransport.P2p, _choice.Current);
        Assert.Null(_choice.OnLinkReady(At(2)));
    }

    [Fact]
    public void A_failed_call_puts_the_peer_on_gRPC_for_the_probation()
    {
        _choice.OnLinkReady(At(0));
        Assert.Equal(Switch(RpcTransport.Grpc, TransportSwitchReason.CallFailed, 1), _choice.OnCallFailed(At(1)));
        Assert.Equal(At(6), _choice.ProbationEnds);
        Assert.Null(_choice.HandleTime(At(5.9)));
        Assert.Equal(RpcTransport.Grpc, _choice.Current);
        Assert.Equal(Switch(RpcTransport.P2p, TransportSwitchReason.ProbationPassed, 6), _choice.HandleTime(At(6)));
        Assert.Null(_choice.ProbationEnds);
    }

    [Fact]
    public void A_lost_link_must_be_ready_for_the_probation_when_it_is_back()
    {
        _choice.OnLinkReady(At(0));
        Assert.Equal(Switch(RpcTransport.Grpc, TransportSwitchReason.LinkLost, 1), _choice.OnLinkLost(At(1)));
        Assert.Null(_choice.HandleTime(At(100)));
        Assert.Null(_choice.OnLinkReady(At(100)));
        Assert.Null(_choice.HandleTime(At(104)));
        Assert.Equal(Switch(RpcTransport.P2p, TransportSwitchReason.ProbationPassed, 105), _choice.HandleTime(At(105)));
    }

    [Fact]
    public void A_link_that_flaps_begins_its_probation_each_time()
    {
        _choice.OnLinkReady(At(0));
        for (int i = 0; i < 5; i++)
        {
            _choice.OnLinkLost(At((4 * i) + 1));
            _choice.OnLinkReady(At((4 * i) + 2));
            Assert.Null(_choice.HandleTime(At((4 * i) + 5)));
        }
        Assert.Equal(RpcTransport.Grpc, _choice.Current);
    }

    [Fact]
    public void A_dial_that_never_succeeded_is_no_failure()
    {
        Assert.Null(_choice.OnLinkLost(At(1)));
        Assert.NotNull(_choice.OnLinkReady(At(2)));
    }

    [Fact]
    public void Whatever_happens_P2P_is_taken_only_on_a_link_that_was_ready_for_the_probation_since_the_last_failure()
    {
        const ulong Seed = 77;
        var random = new SeededRandomSource(Seed);
        byte[] numbers = new byte[2];
        TimeSpan now = default, cleanSince = default;
        bool ready = false, failed = false;
        var current = RpcTransport.Grpc;
        int taken = 0;
        for (int round = 0; round < 20_000; round++)
        {
            random.Fill(numbers);
            now += TimeSpan.FromMilliseconds(numbers[1] * 10);
            TransportSwitch? change;
            switch (numbers[0] % 6)
            {
                case 0:
                    change = _choice.OnLinkReady(now);
                    if (!ready)
                        cleanSince = now;
                    ready = true;
                    break;
                case 1:
                    change = _choice.OnLinkLost(now);
                    failed |= ready;
                    ready = false;
                    break;
                case 2 when _choice.Current == RpcTransport.P2p:
                    change = _choice.OnCallFailed(now);
                    failed = true;
                    cleanSince = now;
                    break;
                default:
                    change = _choice.HandleTime(now);
                    break;
            }
            string where = $"seed {Seed}, round {round}";
            if (change is { } made)
            {
                Assert.True(made.From == current && made.To != current, where);
                current = made.To;
            }
            Assert.True(current == _choice.Current, where);
            if (current == RpcTransport.P2p)
            {
                Assert.True(ready, where);
                if (change is not null)
                {
                    Assert.True(!failed || now - cleanSince >= Probation, where);
                    failed = false;
                    taken++;
                }
            }
        }
        Assert.True(taken > 50, $"seed {Seed}: taken {taken} times");
    }

    private static TimeSpan At(double seconds) => TimeSpan.FromSeconds(seconds);

    private static TransportSwitch Switch(RpcTransport to, TransportSwitchReason reason, double at) =>
        new(to == RpcTransport.P2p ? RpcTransport.Grpc : RpcTransport.P2p, to, reason, At(at));
}
