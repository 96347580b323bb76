using Iroh.Base;
using Iroh.Relay.Server.Clients;

namespace Iroh.Relay.Server.Tests.Clients;

public sealed class ClientRegistryTests
{
    private static readonly EndpointId s_id = SecretKey.Generate().PublicKey;

    private readonly ClientRegistry<string> _registry = new();

    [Fact]
    public void Nobody_is_found_before_anybody_came() => Assert.Null(_registry.Find(s_id.Span));

    [Fact]
    public void The_newest_connection_of_an_id_is_active_and_those_before_it_get_their_place_back()
    {
        ClientGroup<string> group = _registry.Add(s_id, "one", out string? displaced, out _);
        Assert.Null(displaced);
        _registry.Add(s_id, "two", out displaced, out _);
        Assert.Equal("one", displaced);
        _registry.Add(s_id, "three", out displaced, out _);
        Assert.Equal(("two", "three", 1), (displaced, _registry.Find(s_id.Span)!.Active, _registry.Count));

        Assert.False(_registry.Remove(group, "three", out string? promoted));
        Assert.Equal(("two", "two"), (promoted, group.Active));
        Assert.False(_registry.Remove(group, "one", out promoted));
        Assert.Null(promoted);
        Assert.True(_registry.Remove(group, "two", out promoted));
        Assert.Null(promoted);
        Assert.Null(_registry.Find(s_id.Span));
        Assert.Null(group.Active);
    }

    [Fact]
    public void The_oldest_of_too_many_connections_has_to_go()
    {
        for (int i = 0; i < ClientRegistry<string>.ConnectionsPerIdMax; i++)
        {
            _registry.Add(s_id, $"{i}", out _, out string? none);
            Assert.Null(none);
        }

        ClientGroup<string> group = _registry.Add(s_id, "last", out _, out string? surplus);
        Assert.Equal("0", surplus);
        _registry.Remove(group, surplus!, out _);
        Assert.Equal((ClientRegistry<string>.ConnectionsPerIdMax, "last"), (group.Count, group.Active));
    }

    [Fact]
    public void Destinations_are_remembered_once_each_and_up_to_a_bound()
    {
        ClientGroup<string> group = _registry.Add(s_id, "one", out _, out _);
        byte[] bytes = s_id.Span.ToArray();
        group.AddDestination(s_id);
        group.AddDestination(EndpointId.FromBytes(bytes));
        Assert.Equal([s_id], group.TakeDestinations());
        Assert.Empty(group.TakeDestinations());
    }
}
