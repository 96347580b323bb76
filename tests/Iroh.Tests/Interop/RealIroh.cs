using System.Net;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Blixard.Testing.Basics;
using Iroh.Base;

namespace Iroh.Tests.Interop;

/// <summary>A real iroh endpoint and one of ours on loopback, for one test class.</summary>
public sealed class RealIroh : IAsyncLifetime
{
    /// <summary>The protocol that both endpoints accept.</summary>
    public const string Protocol = "interop/1";

    private IrohPeer _peer = null!;

    /// <summary>Ours.</summary>
    public IrohEndpoint Ours { get; private set; } = null!;

    /// <summary>The real one's id.</summary>
    public EndpointId TheirId { get; private set; }

    /// <summary>The real one's ticket as it printed it.</summary>
    public string TheirTicket { get; private set; } = "";

    private int TheirEndpoint { get; set; }

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        _peer = IrohPeer.Start();
        JsonNode bound = await CallAsync("bind", new { alpns = new[] { Protocol }, address = "127.0.0.1:0" });
        TheirEndpoint = bound["endpoint"]!.GetValue<int>();
        TheirId = EndpointId.Parse(bound["endpointId"]!.GetValue<string>());
        TheirTicket = bound["ticket"]!.GetValue<string>();
        Ours = await IrohEndpoint.BindAsync(new IrohEndpointOptions
        {
            BindAddresses = [new IPEndPoint(IPAddress.Loopback, 0)],
            ApplicationProtocols = [Protocol],
        });
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Ours.DisposeAsync();
        await _peer.DisposeAsync();
    }

    /// <summary>Sends one request to the real endpoint's process.</summary>
    internal Task<JsonNode> CallAsync(string op, object? arguments = null) =>
        _peer.CallAsync(op, arguments, TestContext.Current.CancellationToken);

    /// <summary>Dials the real endpoint from ours.</summary>
    internal async Task<InteropConnection> DialTheirsAsync()
    {
        CancellationToken cancel = TestContext.Current.CancellationToken;
        Task<JsonNode> accepted = CallAsync("accept", new { endpoint = TheirEndpoint });
        IrohConnection ours = await Ours.ConnectAsync(EndpointTicket.Parse(TheirTicket).Address, Protocol, cancel);
        return new InteropConnection(this, ours, await accepted);
    }

    /// <summary>Has the real endpoint dial ours.</summary>
    internal async Task<InteropConnection> AcceptTheirsAsync()
    {
        Task<JsonNode> dialled = CallAsync("connect", new { endpoint = TheirEndpoint, ticket = Ours.Ticket.ToString(), alpn = Protocol });
        IrohConnection? ours = await Ours.AcceptAsync(TestContext.Current.CancellationToken);
        return new InteropConnection(this, ours!, await dialled);
    }

    /// <summary>Has the real endpoint dial a ticket, which is expected to fail.</summary>
    internal Task<JsonNode> TheirsDialAsync(string ticket, string protocol) =>
        CallAsync("connect", new { endpoint = TheirEndpoint, ticket, alpn = protocol });
}

/// <summary>The two ends of one connection between ours and the real iroh.</summary>
internal sealed class InteropConnection(RealIroh real, IrohConnection ours, JsonNode theirs) : IAsyncDisposable
{
    public IrohConnection Ours { get; } = ours;

    public EndpointId TheirView { get; } = EndpointId.Parse(theirs["remoteId"]!.GetValue<string>());

    public int Theirs { get; } = theirs["connection"]!.GetValue<int>();

    /// <summary>Sends one request that concerns this connection.</summary>
    public Task<JsonNode> CallAsync(string op) => real.CallAsync(op, new { connection = Theirs });

    public Task<JsonNode> CallAsync(string op, object arguments) => real.CallAsync(op, arguments);

    /// <summary>Has the real end open or accept a stream; the result names it.</summary>
    public async Task<int> StreamAsync(string op) => (await CallAsync(op))["stream"]!.GetValue<int>();

    /// <summary>Reads a stream of the real end to its end there and checks what arrived.</summary>
    public async Task AssertTheyReadAsync(int stream, byte[] expected)
    {
        JsonNode read = await CallAsync("readAll", new { stream });
        Assert.Equal(expected.Length, read["length"]!.GetValue<int>());
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(expected)), read["sha256"]!.GetValue<string>());
    }

    public ValueTask DisposeAsync() => Ours.DisposeAsync();
}
