using System.Net;
using Blixard.Testing.Basics;
using Iroh.Base;
using Iroh.Quic;

namespace Iroh.Tests;

public class IrohEndpointTests
{
    private const string Protocol = "test/1";

    private static readonly IPEndPoint s_anyLoopback = new(IPAddress.Loopback, 0);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact(Timeout = Patience.Test)]
    public async Task An_endpoint_names_the_address_that_it_is_bound_to()
    {
        await using IrohEndpoint endpoint = await BindAsync();
        IPEndPoint bound = Assert.Single(endpoint.BoundSockets);
        Assert.NotEqual(0, bound.Port);
        Assert.Equal(bound, Assert.Single(endpoint.Address.DirectAddresses));
        Assert.Equal(endpoint.Id, endpoint.Address.Id);
        Assert.Equal(endpoint.Address, EndpointTicket.Parse(endpoint.Ticket.ToString()).Address);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Without_addresses_to_bind_both_families_are_bound_where_there_are_both()
    {
        await using IrohEndpoint endpoint = await IrohEndpoint.BindAsync(cancellationToken: Cancel);
        Assert.Contains(endpoint.BoundSockets, socket => socket.Address.Equals(IPAddress.Any) && socket.Port != 0);
        Assert.NotEmpty(endpoint.Address.DirectAddresses);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Two_endpoints_meet_by_ticket_and_exchange_bytes()
    {
        await using IrohEndpoint server = await BindAsync();
        await using IrohEndpoint client = await BindAsync();
        Task<IrohConnection?> accepting = server.AcceptAsync(Cancel).AsTask();
        await using IrohConnection dialled = await client.ConnectAsync(EndpointTicket.Parse(server.Ticket.ToString()).Address, Protocol, Cancel);
        await using IrohConnection accepted = (await accepting)!;
        Assert.Equal((server.Id, client.Id), (dialled.RemoteId, accepted.RemoteId));
        Assert.Equal((true, false), (dialled.IsDialled, accepted.IsDialled));

        await using QuicStream stream = await dialled.OpenBidirectionalStreamAsync(Cancel);
        await stream.WriteAsync("hello"u8.ToArray(), Cancel);
        stream.CompleteWrites();
        using var reader = new StreamReader(await accepted.AcceptBidirectionalStreamAsync(Cancel));
        Assert.Equal("hello", await reader.ReadToEndAsync(Cancel));
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Whoever_has_dialled_can_be_dialled_back_by_its_id_alone()
    {
        await using IrohEndpoint server = await BindAsync();
        await using IrohEndpoint client = await BindAsync();
        Task<IrohConnection?> accepting = server.AcceptAsync(Cancel).AsTask();
        await using IrohConnection dialled = await client.ConnectAsync(server.Address, Protocol, Cancel);
        await using IrohConnection accepted = (await accepting)!;
        await using IrohConnection back = await server.ConnectAsync(client.Id, Protocol, Cancel);
        Assert.Equal(client.Id, back.RemoteId);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Dialling_itself_is_refused()
    {
        await using IrohEndpoint endpoint = await BindAsync();
        IrohConnectException exception = await Assert.ThrowsAsync<IrohConnectException>(() => endpoint.ConnectAsync(endpoint.Address, Protocol, Cancel));
        Assert.Equal(IrohConnectFailure.Self, exception.Failure);
    }

    [Theory(Timeout = Patience.Test)]
    [InlineData(null)]
    [InlineData("[2001:db8::1]:4433")] // the endpoint has no IPv6 socket
    [InlineData("127.0.0.1:0")]
    public async Task An_address_that_cannot_be_dialled_is_named_without_waiting(string? address)
    {
        await using IrohEndpoint endpoint = await BindAsync();
        EndpointId id = SecretKey.Generate().PublicKey;
        var target = new EndpointAddress(id, address is null ? [] : [TransportAddress.Ip(IPEndPoint.Parse(address))]);
        IrohConnectException exception = await Assert.ThrowsAsync<IrohConnectException>(() => endpoint.ConnectAsync(target, Protocol, Cancel));
        Assert.Equal(IrohConnectFailure.NoAddress, exception.Failure);
        Assert.Contains(id.ToShortString(), exception.Message);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_silent_address_ends_in_a_timeout_that_names_it()
    {
        using var silent = new System.Net.Sockets.UdpClient(s_anyLoopback);
        await using IrohEndpoint endpoint = await IrohEndpoint.BindAsync(
            new IrohEndpointOptions { BindAddresses = [s_anyLoopback], ConnectTimeout = TimeSpan.FromMilliseconds(300) }, Cancel);
        var address = (IPEndPoint)silent.Client.LocalEndPoint!;
        IrohConnectException exception = await Assert.ThrowsAsync<IrohConnectException>(() => endpoint.ConnectAsync(
            new EndpointAddress(SecretKey.Generate().PublicKey, [TransportAddress.Ip(address)]), Protocol, Cancel));
        Assert.Equal((IrohConnectFailure.TimedOut, true), (exception.Failure, exception.IsTransient));
        Assert.Contains(address.ToString(), exception.Message);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task The_live_one_of_several_addresses_is_found()
    {
        using var silent = new System.Net.Sockets.UdpClient(s_anyLoopback);
        await using IrohEndpoint server = await BindAsync();
        await using IrohEndpoint client = await BindAsync();
        var address = new EndpointAddress(
            server.Id, [TransportAddress.Ip((IPEndPoint)silent.Client.LocalEndPoint!), .. server.Address.Addresses]);
        await using IrohConnection connection = await client.ConnectAsync(address, Protocol, Cancel);
        Assert.Equal(TransportAddress.Ip(server.BoundSockets[0]), connection.Path.Remote);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_change_of_addresses_reaches_those_who_watch()
    {
        await using IrohEndpoint endpoint = await BindAsync();
        await using IAsyncEnumerator<EndpointAddress> watch = endpoint.WatchAddressAsync(Cancel).GetAsyncEnumerator(Cancel);
        Assert.True(await watch.MoveNextAsync());
        Assert.Equal(endpoint.Address, watch.Current);

        IPEndPoint forwarded = IPEndPoint.Parse("192.0.2.1:7777");
        ValueTask<bool> next = watch.MoveNextAsync();
        endpoint.AddExternalAddress(forwarded);
        Assert.True(await next);
        Assert.Contains(forwarded, watch.Current.DirectAddresses);
        Assert.Contains(forwarded, endpoint.Address.DirectAddresses);

        Assert.True(endpoint.RemoveExternalAddress(forwarded));
        Assert.False(endpoint.RemoveExternalAddress(forwarded));
        Assert.True(await watch.MoveNextAsync());
        Assert.DoesNotContain(forwarded, watch.Current.DirectAddresses);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Closing_ends_accepting_and_watching_and_the_other_end()
    {
        IrohEndpoint server = await BindAsync();
        await using IrohEndpoint client = await BindAsync();
        await using IrohConnection connection = await client.ConnectAsync(server.Address, Protocol, Cancel);
        await using IrohConnection? accepted = await server.AcceptAsync(Cancel);
        Task<IrohConnection?> accepting = server.AcceptAsync(Cancel).AsTask();
        await using IAsyncEnumerator<EndpointAddress> watch = server.WatchAddressAsync(Cancel).GetAsyncEnumerator(Cancel);
        Assert.True(await watch.MoveNextAsync());
        ValueTask<bool> next = watch.MoveNextAsync();
        await server.DisposeAsync();
        await server.DisposeAsync();
        Assert.Null(await accepting);
        Assert.False(await next);
        Assert.Equal(new QuicCloseReason(QuicCloseKind.ApplicationClosed, 0, ""), await connection.Closed.WaitAsync(Cancel));
    }

    private static Task<IrohEndpoint> BindAsync() => IrohEndpoint.BindAsync(
        new IrohEndpointOptions { BindAddresses = [s_anyLoopback], ApplicationProtocols = [Protocol] }, Cancel);
}
