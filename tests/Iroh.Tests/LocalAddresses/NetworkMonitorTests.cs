using System.Net;
using System.Threading.Channels;
using Blixard.Testing.Basics;
using Iroh.LocalAddresses;

namespace Iroh.Tests.LocalAddresses;

public class NetworkMonitorTests
{
    private static readonly NetworkState s_home = State("192.168.1.5");
    private static readonly NetworkState s_elsewhere = State("10.0.0.9");

    private readonly Channel<NetworkStateChange> _changes = Channel.CreateUnbounded<NetworkStateChange>();

    [Fact(Timeout = Patience.Test)]
    public async Task A_burst_of_notices_is_one_change_after_a_moment_of_silence()
    {
        var time = new ManualTimeProvider();
        NetworkState state = s_home;
        await using NetworkMonitor monitor = Watch(time, () => state);
        state = s_elsewhere;
        monitor.Check();
        await time.UntilTimerAsync(NetworkMonitor.Silence, NetworkMonitor.Silence);
        monitor.Check();
        time.Advance(NetworkMonitor.Silence);
        await time.UntilTimerAsync(NetworkMonitor.Silence, NetworkMonitor.Silence);
        Assert.False(_changes.Reader.TryRead(out _));
        time.Advance(NetworkMonitor.Silence);
        NetworkStateChange change = await NextAsync();
        Assert.Equal((s_home, s_elsewhere, true, false), (change.Before, change.After, change.IsMajor, change.WasAsleep));
        Assert.Equal(s_elsewhere, monitor.Current);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_network_that_never_comes_to_rest_is_looked_at_all_the_same()
    {
        var time = new ManualTimeProvider();
        NetworkState state = s_home;
        await using NetworkMonitor monitor = Watch(time, () => state);
        state = s_elsewhere;
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (!_changes.Reader.TryRead(out _))
        {
            monitor.Check();
            time.Advance(TimeSpan.FromMilliseconds(50));
            await Task.Delay(5, limit.Token);
        }
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Notices_without_a_difference_are_no_change()
    {
        var time = new ManualTimeProvider();
        NetworkState state = s_home;
        await using NetworkMonitor monitor = Watch(time, () => state);
        monitor.Check();
        await time.UntilTimerAsync(NetworkMonitor.Silence, NetworkMonitor.Silence);
        time.Advance(NetworkMonitor.Silence);
        state = State("192.168.1.5", "192.168.1.6");
        monitor.Check();
        await time.UntilTimerAsync(NetworkMonitor.Silence, NetworkMonitor.Silence);
        time.Advance(NetworkMonitor.Silence);
        NetworkStateChange change = await NextAsync();
        Assert.Equal(s_home, change.Before);
        Assert.False(change.IsMajor);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_wall_clock_that_ran_ahead_shows_that_the_machine_slept()
    {
        var time = new SleepyTimeProvider();
        await using NetworkMonitor monitor = Watch(time, () => s_home);
        await time.Awake.UntilTimerAsync(NetworkMonitor.ClockCheck, NetworkMonitor.ClockCheck);
        time.Awake.Advance(NetworkMonitor.ClockCheck);
        await time.Awake.UntilTimerAsync(NetworkMonitor.ClockCheck, NetworkMonitor.ClockCheck);
        Assert.False(_changes.Reader.TryRead(out _));
        time.Sleep(TimeSpan.FromHours(8));
        time.Awake.Advance(NetworkMonitor.ClockCheck);
        await time.Awake.UntilTimerAsync(NetworkMonitor.Silence, NetworkMonitor.Silence);
        time.Awake.Advance(NetworkMonitor.Silence);
        NetworkStateChange change = await NextAsync();
        Assert.True(change is { WasAsleep: true, IsMajor: true });
        Assert.Equal(change.Before, change.After);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task The_kernel_tells_of_addresses_and_routes_that_come_and_go()
    {
        Assert.SkipWhen(PrivateNetwork.WhyNot() is not null, PrivateNetwork.WhyNot() ?? "");
        await PrivateNetwork.RunTestAsync(GetType(), nameof(Child_process_with_a_network_of_its_own));
    }

    /// <summary>Not a test of its own: what the test above runs in a network of its own.</summary>
    [Fact(Timeout = Patience.Test, Explicit = true)]
    public async Task Child_process_with_a_network_of_its_own()
    {
        await using var monitor = new NetworkMonitor(change => _changes.Writer.TryWrite(change));
        Assert.False(monitor.Current.HasV4 || monitor.Current.HasV6);
        await IpAsync("link add near type veth peer name far");
        // Without link-local addresses, which come a second later when they are known to be unique.
        await IpAsync("link set near addrgenmode none");
        await IpAsync("link set far up");
        await IpAsync("link set near up");
        await IpAsync("address add 10.9.0.2/24 dev near");
        Assert.True(await UntilAsync(state => state.HasV4));
        Assert.Equal(["10.9.0.2:7"], Select(monitor.Current));

        await IpAsync("address add 10.9.0.3/24 dev near");
        Assert.False(await UntilAsync(state => state.Has(IPAddress.Parse("10.9.0.3"))));
        await IpAsync("route add default via 10.9.0.1");
        Assert.True(await UntilAsync(state => state.RouteV4 == new DefaultRoute("near", IPAddress.Parse("10.9.0.1"))));
        await IpAsync("address add 2001:db8::5/64 dev near nodad");
        Assert.True(await UntilAsync(state => state.HasV6));
        await IpAsync("-6 route add default via 2001:db8::1");
        Assert.True(await UntilAsync(state => state.RouteV6 == new DefaultRoute("near", IPAddress.Parse("2001:db8::1"))));
        Assert.Equal(["10.9.0.2:7", "10.9.0.3:7", "[2001:db8::5]:7"], Select(monitor.Current));

        await IpAsync("address delete 10.9.0.3/24 dev near");
        Assert.False(await UntilAsync(state => !state.Has(IPAddress.Parse("10.9.0.3"))));
        await IpAsync("link set near down");
        Assert.True(await UntilAsync(state => state is { HasV4: false, HasV6: false, RouteV4: null, RouteV6: null }));
        Assert.Equal(["127.0.0.1:7", "[::1]:7"], Select(monitor.Current));
    }

    private static string[] Select(NetworkState state) =>
        [.. DirectAddressSelection.Select([IPEndPoint.Parse("0.0.0.0:7"), IPEndPoint.Parse("[::]:7")], [.. state.Addresses]).Select(address => address.ToString())];

    private static Task IpAsync(string arguments) => PrivateNetwork.RunToolAsync("ip", arguments);

    // Whether any change on the way there was a major one.
    private async Task<bool> UntilAsync(Func<NetworkState, bool> condition)
    {
        bool wasMajor = false;
        while (true)
        {
            NetworkStateChange change = await NextAsync();
            wasMajor |= change.IsMajor;
            if (condition(change.After))
                return wasMajor;
        }
    }

    private Task<NetworkStateChange> NextAsync() => _changes.Reader.ReadAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(60));

    private NetworkMonitor Watch(TimeProvider time, Func<NetworkState> read) => new(change => _changes.Writer.TryWrite(change), time, read);

    private static NetworkState State(params string[] addresses) =>
        new(addresses.Select(address => new InterfaceAddress(IPAddress.Parse(address), true, false, "eth0", 24)), null, null);

    /// <summary>A clock whose wall time runs on while the machine sleeps and its monotonic one stands.</summary>
    private sealed class SleepyTimeProvider : TimeProvider
    {
        private TimeSpan _slept;

        public ManualTimeProvider Awake { get; } = new();

        public override long TimestampFrequency => Awake.TimestampFrequency;

        public void Sleep(TimeSpan duration) => _slept += duration;

        public override DateTimeOffset GetUtcNow() => Awake.GetUtcNow() + _slept;

        public override long GetTimestamp() => Awake.GetTimestamp();

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            Awake.CreateTimer(callback, state, dueTime, period);
    }
}
