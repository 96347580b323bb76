using Iroh.Lookup.Resolvers;

namespace Iroh.Tests.Lookup;

public sealed class SystemResolversTests
{
    [Fact]
    public void The_first_three_servers_of_the_file_count()
    {
        string[] lines =
        [
            "# nameserver 9.9.9.9", "search example.org", "", "nameserver", "nameserver nonsense", "nameserver\t192.0.2.1", " nameserver 2001:db8::1 # mine",
            "nameserver 192.0.2.2", "nameserver 192.0.2.3",
        ];
        Assert.Equal(["192.0.2.1:53", "[2001:db8::1]:53", "192.0.2.2:53"], SystemResolvers.Parse(lines).Select(server => server.ToString()));
    }

    [Fact]
    public void There_is_always_somebody_to_ask() => Assert.InRange(SystemResolvers.List().Count, 1, 3);
}
