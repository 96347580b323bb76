using System.Net;
using Iroh.Paths;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Tests.Paths;

public class PathSelectorTests
{
    [Fact]
    public void A_direct_path_is_taken_before_a_relay_however_slow()
    {
        Assert.Equal(new PathId(1), PathSelector.Select([Relayed(0, 5), V4(1, 200)], new PathId(0)));
        Assert.Equal(new PathId(1), PathSelector.Select([Relayed(0, 5), V4(1, 200)], null));
    }

    [Fact]
    public void Of_direct_paths_the_quickest_is_taken_and_IPv6_gets_three_milliseconds()
    {
        Assert.Equal(new PathId(2), PathSelector.Select([V4(1, 20), V6(2, 22)], null));
        Assert.Equal(new PathId(1), PathSelector.Select([V4(1, 20), V6(2, 24)], null));
    }

    [Fact]
    public void A_path_is_left_only_for_a_gain_of_five_milliseconds()
    {
        Assert.Equal(new PathId(1), PathSelector.Select([V4(1, 20), V4(2, 16)], new PathId(1)));
        Assert.Equal(new PathId(2), PathSelector.Select([V4(1, 20), V4(2, 15)], new PathId(1)));
    }

    [Fact]
    public void A_silent_path_is_left_at_once_even_for_a_relay()
    {
        PathView silent = V4(1, 20) with { IsSilent = true };
        Assert.Equal(new PathId(0), PathSelector.Select([Relayed(0, 100), silent], new PathId(1)));
        Assert.Equal(new PathId(1), PathSelector.Select([Relayed(0, 100), V4(1, 20)], new PathId(0)));
    }

    [Fact]
    public void When_nothing_works_the_selected_path_stays_while_it_is_open()
    {
        PathView silent = V4(1, 20) with { IsSilent = true };
        PathView unproven = Relayed(0, 1) with { IsValidated = false };
        Assert.Equal(new PathId(1), PathSelector.Select([unproven, silent], new PathId(1)));
        Assert.Null(PathSelector.Select([unproven], new PathId(1)));
        Assert.Null(PathSelector.Select([], null));
    }

    internal static PathView Relayed(uint id, int milliseconds) => View(id, NetworkAddress.Virtual(1), milliseconds);

    internal static PathView V4(uint id, int milliseconds) =>
        View(id, NetworkAddress.From(new IPEndPoint(IPAddress.Parse("192.0.2.1"), 1000 + (int)id)), milliseconds);

    internal static PathView V6(uint id, int milliseconds) =>
        View(id, NetworkAddress.From(new IPEndPoint(IPAddress.Parse("2001:db8::1"), 1000 + (int)id)), milliseconds);

    private static PathView View(uint id, NetworkAddress remote, int milliseconds) =>
        new(new PathId(id), remote, TimeSpan.FromMilliseconds(milliseconds), IsValidated: true, IsSilent: false, IsAvailable: true);
}
