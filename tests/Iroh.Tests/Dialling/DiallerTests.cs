using System.Net;
using Blixard.Testing.Basics;
using Iroh.Base;
using Iroh.Lookup;

namespace Iroh.Tests.Dialling;

public class DiallerTests
{
    private const string Protocol = "test/1";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact(Timeout = Patience.Test)]
    public async Task A_bare_id_is_found_by_a_look_up_and_remembered()
    {
        var lookup = new MemoryLookup();
        await using IrohEndpoint server = await BindAsync();
        await using IrohEndpoint client = await BindAsync(lookup);
        lookup.Add(server.Address);

        await using IrohConnection first = await client.ConnectAsync(server.Id, Protocol, Cancel);
        lookup.Remove(server.Id);
        await using IrohConnection second = await client.ConnectAsync(server.Id, Protocol, Cancel);

        Assert.Equal(server.Id, second.RemoteId);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_look_up_helps_when_the_address_that_was_given_is_dead()
    {
        using var silent = new System.Net.Sockets.UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        var lookup = new MemoryLookup();
        await using IrohEndpoint server = await BindAsync();
        await using IrohEndpoint client = await BindAsync(lookup);
        lookup.Add(server.Address);

        var old = new EndpointAddress(server.Id, [TransportAddress.Ip((IPEndPoint)silent.Client.LocalEndPoint!)]);
        await using IrohConnection connection = await client.ConnectAsync(old, Protocol, Cancel);

        Assert.Equal(server.Id, connection.RemoteId);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_stranger_at_an_old_address_does_not_keep_us_from_the_right_one()
    {
        await using IrohEndpoint stranger = await BindAsync();
        await using IrohEndpoint server = await BindAsync();
        await using IrohEndpoint client = await BindAsync();

        // Whichever of the two answers first.
        for (int i = 0; i < 8; i++)
        {
            var address = new EndpointAddress(server.Id, [.. stranger.Address.Addresses, .. server.Address.Addresses]);
            await using IrohConnection connection = await client.ConnectAsync(address, Protocol, Cancel);
            Assert.Equal(server.Id, connection.RemoteId);
        }

        var wrong = new EndpointAddress(SecretKey.Generate().PublicKey, stranger.Address.Addresses);
        IrohConnectException failure = await Assert.ThrowsAsync<IrohConnectException>(() => client.ConnectAsync(wrong, Protocol, Cancel));
        Assert.Equal(IrohConnectFailure.WrongEndpointId, failure.Failure);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task What_is_found_nowhere_fails_with_what_was_asked()
    {
        await using IrohEndpoint client = await BindAsync(new MemoryLookup());
        EndpointId nobody = SecretKey.Generate().PublicKey;

        IrohConnectException failure = await Assert.ThrowsAsync<IrohConnectException>(() => client.ConnectAsync(nobody, Protocol, Cancel));

        Assert.Equal(IrohConnectFailure.NoAddress, failure.Failure);
        Assert.Contains("memory_lookup: not known", failure.Message, StringComparison.Ordinal);
    }

    private static Task<IrohEndpoint> BindAsync(params IAddressLookup[] lookups) => IrohEndpoint.BindAsync(
        new IrohEndpointOptions
        {
            BindAddresses = [new IPEndPoint(IPAddress.Loopback, 0)],
            ApplicationProtocols = [Protocol],
            AddressLookups = lookups,
        },
        Cancel);
}
