using System.Net;
using System.Threading.Channels;
using Blixard.Testing.Basics;
using Iroh.PortMapping;

namespace Iroh.Tests.PortMapping;

public sealed class PortMapperTests : IAsyncDisposable
{
    private readonly FakeGateway _gateway = new();
    private readonly Channel<MappedPort?> _changes = Channel.CreateUnbounded<MappedPort?>();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => _gateway.DisposeAsync();

    [Theory(Timeout = Patience.Test)]
    [InlineData(PortMappingProtocol.Pcp)]
    [InlineData(PortMappingProtocol.NatPmp)]
    [InlineData(PortMappingProtocol.Upnp)]
    public async Task A_gateway_that_speaks_one_protocol_forwards_the_port_and_gets_it_back(PortMappingProtocol protocol)
    {
        (_gateway.HasPcp, _gateway.HasNatPmp, _gateway.HasUpnp) =
            (protocol == PortMappingProtocol.Pcp, protocol == PortMappingProtocol.NatPmp, protocol == PortMappingProtocol.Upnp);
        await using (PortMapper mapper = Start())
        {
            Assert.Equal(new MappedPort(new IPEndPoint(FakeGateway.PublicAddress, 4433), 4433, protocol), await NextAsync());
            Assert.Equal(4433, _gateway.Forwards[4433]);
            Assert.Null(mapper.Problem);
        }

        Assert.Empty(_gateway.Forwards);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_mapping_is_renewed_at_half_of_its_life()
    {
        _gateway.HasPcp = true;
        var time = new ManualTimeProvider();
        await using PortMapper mapper = Start(time);
        await NextAsync();
        for (int renewal = 2; renewal <= 4; renewal++)
        {
            await time.UntilTimerAsync(TimeSpan.FromSeconds(299), TimeSpan.FromSeconds(301));
            time.Advance(TimeSpan.FromSeconds(300));
            await UntilAsync(() => _gateway.Grants == renewal);
        }

        Assert.False(_changes.Reader.TryRead(out _));
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_mapping_that_cannot_be_renewed_is_lost_when_its_lease_ends_and_comes_back()
    {
        _gateway.HasNatPmp = true;
        var time = new ManualTimeProvider();
        await using PortMapper mapper = Start(time);
        Assert.NotNull(await NextAsync());
        _gateway.HasNatPmp = false;
        await AdvanceUntilAsync(time, () => mapper.Current is null);
        Assert.Null(await NextAsync());
        Assert.Contains("does not answer", mapper.Problem);
        _gateway.HasNatPmp = true;
        await AdvanceUntilAsync(time, () => mapper.Current is not null);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Another_port_is_taken_where_ours_belongs_to_somebody_else()
    {
        (_gateway.HasUpnp, _gateway.IsTaken) = (true, port => port == 4433);
        await using PortMapper mapper = Start();
        MappedPort mapped = (await NextAsync())!;
        Assert.InRange(mapped.External.Port, 49152, 65535);
        Assert.Equal(4433, _gateway.Forwards[mapped.External.Port]);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_gateway_without_leases_gets_none_and_one_without_ports_says_so()
    {
        (_gateway.HasUpnp, _gateway.KnowsNoLeases) = (true, true);
        await using (Start())
            Assert.NotNull(await NextAsync());
        _gateway.IsTaken = _ => true;
        await using PortMapper mapper = Start();
        await mapper.Tried.WaitAsync(TimeSpan.FromSeconds(60), Cancel);
        Assert.Null(mapper.Current);
        Assert.Contains("has no port left", mapper.Problem);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Without_a_gateway_nobody_is_asked_until_there_is_one()
    {
        _gateway.HasPcp = true;
        IPAddress? gateway = null;
        await using PortMapper mapper = Start(gateway: () => gateway);
        await mapper.Tried.WaitAsync(TimeSpan.FromSeconds(60), Cancel);
        Assert.Equal((0, "There is no gateway."), (_gateway.Grants, mapper.Problem));
        gateway = IPAddress.Loopback;
        mapper.Restart();
        Assert.NotNull(await NextAsync());
        gateway = null;
        mapper.Restart();
        Assert.Null(await NextAsync());
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_change_of_the_network_asks_the_same_gateway_with_the_same_nonce()
    {
        _gateway.HasPcp = true;
        await using PortMapper mapper = Start();
        await NextAsync();
        mapper.Restart();
        await UntilAsync(() => _gateway.Grants == 2);
        Assert.Single(_gateway.Nonces);
        Assert.False(_changes.Reader.TryRead(out _));
    }

    [Fact(Timeout = Patience.Test)]
    public async Task What_worked_once_is_asked_first()
    {
        _gateway.HasUpnp = true;
        await using PortMapper mapper = Start();
        Assert.Equal(PortMappingProtocol.Upnp, (await NextAsync())!.Protocol);
        _gateway.HasPcp = true;
        mapper.Restart();
        await UntilAsync(() => _gateway.Grants == 2);
        Assert.Equal(PortMappingProtocol.Upnp, mapper.Current!.Protocol);
    }

    private PortMapper Start(TimeProvider? time = null, Func<IPAddress?>? gateway = null)
    {
        // Limits of single exchanges run in real time: the gateway answers in real time.
        TimeProvider real = TimeProvider.System;
        return new PortMapper(
            new PortMapperOptions
            {
                InternalPort = 4433,
                Gateway = gateway ?? (() => IPAddress.Loopback),
                Protocols =
                [
                    new PcpProtocol(real, _gateway.MappingPort), new NatPmpProtocol(real, _gateway.MappingPort),
                    new UpnpProtocol(real, Random.Shared.Next, _gateway.SearchAddress),
                ],
                Time = time ?? real,
            },
            port => _changes.Writer.TryWrite(port));
    }

    private async Task<MappedPort?> NextAsync() => await _changes.Reader.ReadAsync(Cancel).AsTask().WaitAsync(TimeSpan.FromSeconds(60), Cancel);

    private static async Task UntilAsync(Func<bool> condition)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (!condition())
            await Task.Delay(10, limit.Token);
    }

    private static async Task AdvanceUntilAsync(ManualTimeProvider time, Func<bool> condition)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (!condition())
        {
            time.Advance(TimeSpan.FromSeconds(10));
            await Task.Delay(10, limit.Token);
        }
    }
}
