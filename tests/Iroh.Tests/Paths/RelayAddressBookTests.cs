using Iroh.Base;
using Iroh.Paths;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Tests.Paths;

public class RelayAddressBookTests
{
    private static readonly RelayUrl s_relay = RelayUrl.Parse("https://relay.example.com");

    [Fact]
    public void An_endpoint_keeps_its_address_and_is_found_by_it()
    {
        var book = new RelayAddressBook();
        EndpointId id = SecretKey.Generate().PublicKey;
        NetworkAddress address = book.AddressOf(s_relay, id);

        Assert.True(address.IsVirtual);
        Assert.Equal(address, book.AddressOf(RelayUrl.Parse("https://RELAY.example.com/"), id));
        Assert.NotEqual(address, book.AddressOf(RelayUrl.Parse("https://other.example.com"), id));
        Assert.True(book.TryFind(address, out RelayedEndpoint? found));
        Assert.Equal(new RelayedEndpoint(s_relay, id), found);
        Assert.False(book.TryFind(default, out _));
    }

    [Fact]
    public void Only_the_last_ones_in_use_are_kept()
    {
        var book = new RelayAddressBook();
        EndpointId id = SecretKey.Generate().PublicKey;
        NetworkAddress used = book.AddressOf(s_relay, id);
        NetworkAddress unused = book.AddressOf(RelayUrl.Parse("https://unused.example.com"), id);
        for (int i = 0; i < RelayAddressBook.Capacity; i++)
        {
            Assert.True(book.TryFind(used, out _));
            book.AddressOf(RelayUrl.Parse($"https://r{i}.example.com"), id);
        }

        Assert.True(book.TryFind(used, out _));
        Assert.False(book.TryFind(unused, out _));
        Assert.NotEqual(unused, book.AddressOf(RelayUrl.Parse("https://unused.example.com"), id));
    }
}
