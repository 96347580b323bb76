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

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_failure_puts_the_peer_on_gRPC_until_the_link_has_shown_life_for_the_probation(bool isPulseLost)
    {
        _choice.OnLinkReady(At(0));
        TransportSwitch? change = isPulseLost ? _choice.OnPulseLost(At(1)) : _choice.OnCallFailed(At(1));
        Assert.Equal(Switch(RpcTransport.Grpc, isPulseLost ? TransportSwitchReason.PulseLost : TransportSwitchReason.CallFailed, 1), change);
        Assert.Null(_choice.ProbationEnds);
        Assert.Null(_choice.HandleTime(At(10)));
        for (double at = 10; at < 15; at++)
            Assert.Null(_choice.OnLinkAlive(At(at)));
        Assert.Equal(At(15), _choice.ProbationEnds);
        Assert.Null(_choice.HandleTime(At(14.9)));
        Assert.Equal(RpcTransport.Grpc, _choice.Current);
        Assert.Equal(Switch(RpcTransport.P2p, TransportSwitchReason.ProbationPassed, 15), _choice.HandleTime(At(15)));
        Assert.Null(_choice.ProbationEnds);
    }

    [Fact]
    public void A_lost_link_must_show_life_for_the_probation_when_it_is_back()
    {
        _choice.OnLinkReady(At(0));
        Assert.Equal(Switch(RpcTransport.Grpc, TransportSwitchReason.LinkLost, 1), _choice.OnLinkLost(At(1)));
        Assert.Null(_choice.OnLinkAlive(At(50)));
        Assert.Null(_choice.HandleTime(At(100)));
        Assert.Null(_choice.OnLinkReady(At(100)));
        Alive(100.5, 104.5);
        Assert.Equal(Switch(RpcTransport.P2p, TransportSwitchReason.ProbationPassed, 105), _choice.HandleTime(At(105)));
    }

    [Fact]
    public void A_silence_within_the_probation_begins_it_anew()
    {
        _choice.OnLinkReady(At(0));
        _choice.OnCallFailed(At(1));
        Alive(2, 4);
        Assert.Null(_choice.HandleTime(At(7)));
        Assert.Null(_choice.OnLinkAlive(At(7)));
        Alive(8, 11);
        Assert.Null(_choice.HandleTime(At(11.9)));
        Assert.NotNull(_choice.HandleTime(At(12)));
    }

    [Fact]
    public void When_gRPC_fails_a_link_in_probation_is_taken_at_once()
    {
        _choice.OnLinkReady(At(0));
        _choice.OnCallFailed(At(1));
        _choice.OnLinkAlive(At(2));
        Assert.Equal(Switch(RpcTransport.P2p, TransportSwitchReason.GrpcFailed, 3), _choice.OnGrpcFailed(At(3)));
    }

    [Fact]
    public void While_neither_way_works_it_waits_on_gRPC_for_the_first_sign_of_life()
    {
        _choice.OnLinkReady(At(0));
        _choice.OnPulseLost(At(1));
        Assert.Null(_choice.OnGrpcFailed(At(2)));
        Assert.Null(_choice.OnGrpcFailed(At(3)));
        Assert.Equal(Switch(RpcTransport.P2p, TransportSwitchReason.GrpcFailed, 4), _choice.OnLinkAlive(At(4)));
    }

    [Fact]
    public void GRPC_that_failed_once_is_not_held_against_it_for_ever()
    {
        _choice.OnLinkReady(At(0));
        _choice.OnPulseLost(At(1));
        _choice.OnGrpcFailed(At(2));
        Assert.Null(_choice.OnLinkAlive(At(2) + TransportChoice.GrpcBrokenFor));
        _choice.OnGrpcFailed(At(40));
        _choice.OnGrpcWorked();
        Assert.Null(_choice.OnLinkAlive(At(41)));
    }

    [Fact]
    public void A_link_that_comes_back_is_taken_at_once_while_gRPC_is_broken()
    {
        _choice.OnLinkReady(At(0));
        _choice.OnLinkLost(At(1));
        Assert.Null(_choice.OnGrpcFailed(At(2)));
        Assert.Equal(Switch(RpcTransport.P2p, TransportSwitchReason.GrpcFailed, 3), _choice.OnLinkReady(At(3)));
    }

    [Fact]
    public void A_link_that_flaps_begins_its_probation_each_time()
    {
        _choice.OnLinkReady(At(0));
        for (int i = 0; i < 5; i++)
        {
            _choice.OnLinkLost(At((4 * i) + 1));
            _choice.OnLinkReady(At((4 * i) + 2));
            Alive((4 * i) + 3, (4 * i) + 4);
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
    public void Whatever_happens_P2P_is_taken_only_on_a_link_that_lives_and_after_its_probation_unless_gRPC_is_broken()
    {
        const ulong Seed = 77;
        var random = new SeededRandomSource(Seed);
        byte[] numbers = new byte[2];
        TimeSpan now = default, lastLife = default, lifeSince = default;
        TimeSpan? grpcFailed = null;
        bool ready = false, failed = false, alive = false;
        var current = RpcTransport.Grpc;
        var taken = new Dictionary<TransportSwitchReason, int>();
        for (int round = 0; round < 40_000; round++)
        {
            random.Fill(numbers);
            now += TimeSpan.FromMilliseconds(numbers[1] * 10);
            TransportSwitch? change;
            void Live()
            {
                if (!alive || now - lastLife > TransportChoice.LifeGapMax)
                    lifeSince = now;
                (alive, lastLife) = (true, now);
            }
            switch (numbers[0] % 16)
            {
                case 0:
                    change = _choice.OnLinkReady(now);
                    ready = true;
                    Live();
                    break;
                case 1:
                    change = _choice.OnLinkLost(now);
                    failed |= ready;
                    ready = alive = false;
                    break;
                case 2 when _choice.Current == RpcTransport.P2p:
                    change = (numbers[1] & 1) == 0 ? _choice.OnCallFailed(now) : _choice.OnPulseLost(now);
                    (failed, alive) = (true, false);
                    break;
                case 3 when _choice.Current == RpcTransport.Grpc:
                    change = _choice.OnGrpcFailed(now);
                    grpcFailed = now;
                    break;
                case 4:
                    _choice.OnGrpcWorked();
                    change = null;
                    grpcFailed = null;
                    break;
                case < 12:
                    change = _choice.OnLinkAlive(now);
                    if (ready)
                        Live();
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
                taken[made.Reason] = taken.GetValueOrDefault(made.Reason) + 1;
            }
            Assert.True(current == _choice.Current, where);
            if (current != RpcTransport.P2p)
                continue;
            Assert.True(ready && alive, where);
            if (change is not { } back)
                continue;
            Assert.True(now - lastLife <= TransportChoice.LifeGapMax, where);
            bool isGrpcBroken = grpcFailed is { } at && now - at < TransportChoice.GrpcBrokenFor;
            Assert.True(!failed || now - lifeSince >= Probation || (back.Reason == TransportSwitchReason.GrpcFailed && isGrpcBroken), where);
            if (back.Reason == TransportSwitchReason.ProbationPassed)
                failed = false;
        }
        Assert.True(
            taken.GetValueOrDefault(TransportSwitchReason.ProbationPassed) > 50 && taken.GetValueOrDefault(TransportSwitchReason.GrpcFailed) > 50,
            $"seed {Seed}: {string.Join(", ", taken)}");
    }

    // Signs of life each second.
    private void Alive(double from, double to)
    {
        for (double at = from; at <= to; at++)
            Assert.Null(_choice.OnLinkAlive(At(at)));
    }

    private static TimeSpan At(double seconds) => TimeSpan.FromSeconds(seconds);

    private static TransportSwitch Switch(RpcTransport to, TransportSwitchReason reason, double at) =>
        new(to == RpcTransport.P2p ? RpcTransport.Grpc : RpcTransport.P2p, to, reason, At(at));
}
