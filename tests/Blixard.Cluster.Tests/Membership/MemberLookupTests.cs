using System.Net;
using Blixard.Cluster.Membership;
using Blixard.V1;
using Iroh.Base;
using Iroh.Lookup;
using EndpointAddress = Iroh.Base.EndpointAddress;

namespace Blixard.Cluster.Tests.Membership;

public sealed class MemberLookupTests
{
    private readonly Dictionary<EndpointId, Member> _members = [];
    private readonly EndpointId _id = SecretKey.Generate().PublicKey;
    private readonly MemberLookup _lookup;

    public MemberLookupTests() => _lookup = new MemberLookup(() => _members);

    [Fact]
    public async Task A_member_is_found_where_its_record_says_now()
    {
        var address = new EndpointAddress(_id, [TransportAddress.Ip(IPEndPoint.Parse("192.0.2.1:7000"))]);
        _members[_id] = new Member { P2PNodeAddr = MemberAddress.ToMessage(address) };
        Assert.Equal([new LookupResult(address, "members")], await ResolveAsync());

        var moved = new EndpointAddress(_id, [TransportAddress.Relay(RelayUrl.Parse("https://relay.example.com"))]);
        _members[_id] = new Member { P2PNodeAddr = MemberAddress.ToMessage(moved) };
        Assert.Equal([new LookupResult(moved, "members")], await ResolveAsync());
    }

    [Fact]
    public async Task Who_is_no_member_or_has_no_address_is_not_found()
    {
        Assert.Empty(await ResolveAsync());
        _members[_id] = new Member();
        Assert.Empty(await ResolveAsync());
        _members[_id] = new Member { P2PNodeAddr = MemberAddress.ToMessage(new EndpointAddress(_id)) };
        Assert.Empty(await ResolveAsync());
    }

    [Fact]
    public async Task A_record_with_the_address_of_another_endpoint_or_an_unreadable_one_leads_nowhere()
    {
        var other = new EndpointAddress(SecretKey.Generate().PublicKey, [TransportAddress.Ip(IPEndPoint.Parse("192.0.2.1:7000"))]);
        _members[_id] = new Member { P2PNodeAddr = MemberAddress.ToMessage(other) };
        Assert.Empty(await ResolveAsync());
        _members[_id].P2PNodeAddr.DirectAddresses.Add("nowhere");
        Assert.Empty(await ResolveAsync());
    }

    private ValueTask<List<LookupResult>> ResolveAsync() => _lookup.ResolveAsync(_id, TestContext.Current.CancellationToken).ToListAsync();
}
