using System.Net;
using System.Net.Sockets;
using Blixard.Testing.Basics;
using Iroh.Relay.Client;

namespace Iroh.Relay.Tests.Client;

public sealed class HappyEyeballsTests
{
    [Fact]
    public void Families_take_turns_beginning_with_IPv6()
    {
        IPAddress[] addresses = [.. new[] { "192.0.2.1", "192.0.2.2", "2001:db8::1", "192.0.2.1", "::ffff:192.0.2.3" }.Select(IPAddress.Parse)];
        Assert.Equal(["2001:db8::1", "192.0.2.1", "192.0.2.2", "192.0.2.3"], HappyEyeballs.Order(addresses).Select(address => address.ToString()));
    }

    [Fact]
    public void No_name_has_more_than_eight_addresses() =>
        Assert.Equal(HappyEyeballs.AddressesMax, HappyEyeballs.Order(Enumerable.Range(0, 50).Select(i => new IPAddress([10, 0, 0, (byte)i]))).Count);

    [Fact(Timeout = Patience.Test)]
    public async Task An_address_that_refuses_gives_way_to_the_next_at_once()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        int port = ((IPEndPoint)listener.LocalEndpoint).Port;
        IPAddress[] addresses = [IPAddress.Parse("127.0.0.2"), IPAddress.Parse("127.0.0.3"), IPAddress.Loopback];
        using Socket socket = await HappyEyeballs.ConnectAsync(addresses, port, TimeProvider.System, TestContext.Current.CancellationToken);
        Assert.Equal(IPAddress.Loopback, ((IPEndPoint)socket.RemoteEndPoint!).Address);
        Assert.True(socket.NoDelay);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Nobody_answers_is_a_socket_error()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        int port = ((IPEndPoint)listener.LocalEndpoint).Port;
        listener.Stop();
        await Assert.ThrowsAsync<SocketException>(
            () => HappyEyeballs.ConnectAsync([IPAddress.Loopback], port, TimeProvider.System, TestContext.Current.CancellationToken));
        await Assert.ThrowsAsync<SocketException>(
            () => HappyEyeballs.ConnectAsync([], port, TimeProvider.System, TestContext.Current.CancellationToken));
    }
}
