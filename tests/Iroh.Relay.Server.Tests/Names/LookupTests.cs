using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Iroh.Base;
using Iroh.Dns;
using Iroh.Dns.Messages;
using Iroh.Dns.Zones;
using Iroh.Lookup;
using Iroh.Relay.Server.Names;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;

namespace Iroh.Relay.Server.Tests.Names;

/// <summary>Publishers and look-ups of ours, and Node.js as a DNS and HTTP client of others, at one name server.</summary>
public sealed class LookupTests : IAsyncLifetime
{
    private const string Origin = "dns.test";

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private static readonly SecretKey s_key = SecretKey.Generate();

    private readonly CancellationTokenSource _patience = new(s_patience);
    private readonly HttpClient _http = new();
    private NameServer? _server;
    private WebApplication? _application;

    private NameServer Server => _server!;

    private Uri Url => new(_application!.Urls.Single());

    public async ValueTask InitializeAsync()
    {
        _server = await NameServer.StartAsync(new NameServerOptions
        {
            Zone = new NameZoneConfiguration { Origins = [DomainName.Parse(Origin)] },
            DnsEndPoints = [new IPEndPoint(IPAddress.Loopback, 0)],
            PutBurst = 0,
        });
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        _application = builder.Build();
        _application.MapNameServer(_server);
        await _application.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _application!.DisposeAsync();
        await _server!.DisposeAsync();
        _http.Dispose();
        _patience.Dispose();
    }

    [Fact]
    public async Task What_one_endpoint_publishes_another_finds_over_DNS_HTTPS_and_pkarr()
    {
        EndpointRecord record = Record("hello", "https://relay.example/");
        await using PkarrPublisher publisher = await PublishAsync(record, AddressFilters.RelayOnly);
        await using var set = new LookupSet(
        [
            new DnsLookup(new DnsLookupOptions { Origin = Origin, Servers = Server.DnsEndPoints }),
            new DnsLookup(new DnsLookupOptions { Origin = Origin, Servers = [], HttpsServers = [new Uri(Url, "/dns-query")], HttpClient = _http }),
            new PkarrLookup(new Uri(Url, "/pkarr"), _http),
            publisher,
        ]);
        List<LookupResult> results = await CollectAsync(set, s_key.PublicKey);
        Assert.Equal(["dns", "dns", "pkarr"], results.Select(result => result.Provenance).Order());
        Assert.All(results, result => Assert.Equal(record, new EndpointRecord(result.Address, result.UserData)));
    }

    [Fact]
    public async Task A_record_with_many_addresses_is_found_over_TCP()
    {
        EndpointRecord record = Record(null, [.. Enumerable.Range(1, 20).Select(port => $"192.0.2.1:{port}")]);
        await using PkarrPublisher publisher = await PublishAsync(record, AddressFilters.Unfiltered);
        var lookup = new DnsLookup(new DnsLookupOptions { Origin = Origin, Servers = Server.DnsEndPoints });
        Assert.Equal(record.Address, Assert.Single(await CollectAsync(lookup, s_key.PublicKey)).Address);
    }

    [Fact]
    public async Task An_endpoint_that_published_nothing_is_not_found()
    {
        await using var set = new LookupSet(
        [
            new DnsLookup(new DnsLookupOptions { Origin = Origin, Servers = Server.DnsEndPoints }),
            new DnsLookup(new DnsLookupOptions { Origin = Origin, Servers = [], HttpsServers = [new Uri(Url, "/dns-query")], HttpClient = _http }),
            new PkarrLookup(new Uri(Url, "/pkarr"), _http),
        ]);
        AddressLookupException exception = await Assert.ThrowsAsync<AddressLookupException>(
            () => CollectAsync(set, SecretKey.Generate().PublicKey));
        Assert.True(exception.IsNotFound, exception.Message);
    }

    [Fact]
    public async Task Another_DNS_client_reads_the_same()
    {
        // c-ares over UDP and, as this record is long, over TCP; a name of the origin; a name that is not there.
        EndpointRecord record = Record(new string('u', 200), [.. Enumerable.Range(1, 12).Select(port => $"192.0.2.1:{port}")]);
        await using PkarrPublisher publisher = await PublishAsync(record, AddressFilters.Unfiltered);
        string name = $"_iroh.{s_key.PublicKey.ToZBase32()}.{Origin}";
        string script = $$"""
            const { Resolver } = require('dns').promises;
            const resolver = new Resolver({ timeout: 30000, tries: 2 });
            resolver.setServers(['{{Server.DnsEndPoints[0]}}']);
            const code = promise => promise.then(() => 'none', error => error.code);
            (async () => console.log(JSON.stringify({
              texts: (await resolver.resolveTxt('{{name}}')).map(strings => strings.join('')),
              servers: await resolver.resolveNs('{{Origin}}'),
              authority: (await resolver.resolveSoa('{{Origin}}')).nsname,
              absent: await code(resolver.resolveTxt('absent.{{Origin}}')),
              otherType: await code(resolver.resolve4('{{name}}')),
              foreign: await code(resolver.resolveTxt('elsewhere.example')),
            })))();
            """;
        JsonElement answers = await RunNodeAsync(script);
        EndpointRecord read = EndpointRecord.FromAttributes(
            s_key.PublicKey, answers.GetProperty("texts").EnumerateArray().Select(text => text.GetString()!));
        Assert.Equal(record, read);
        Assert.Equal("ns1.dns.test", answers.GetProperty("servers")[0].GetString());
        Assert.Equal("ns1.dns.test", answers.GetProperty("authority").GetString());
        Assert.Equal("ENOTFOUND", answers.GetProperty("absent").GetString());
        Assert.Equal("ENODATA", answers.GetProperty("otherType").GetString());
        Assert.Equal("EREFUSED", answers.GetProperty("foreign").GetString());
    }

    private static EndpointRecord Record(string? userData, params string[] addresses) => new(
        new EndpointAddress(
            s_key.PublicKey,
            addresses.Select(address => address.Contains("//", StringComparison.Ordinal)
                ? TransportAddress.Relay(RelayUrl.Parse(address))
                : TransportAddress.Ip(IPEndPoint.Parse(address)))),
        userData);

    private async Task<JsonElement> RunNodeAsync(string script)
    {
        using Process node = Process.Start(new ProcessStartInfo("node", ["-e", script]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> output = node.StandardOutput.ReadToEndAsync(_patience.Token);
        string errors = await node.StandardError.ReadToEndAsync(_patience.Token);
        await node.WaitForExitAsync(_patience.Token);
        Assert.True(node.ExitCode == 0, errors);
        return JsonDocument.Parse(await output).RootElement;
    }

    /// <summary>Publishes and waits until the server has it.</summary>
    private async Task<PkarrPublisher> PublishAsync(EndpointRecord record, Func<TransportAddress, bool> filter)
    {
        var publisher = new PkarrPublisher(new PkarrPublisherOptions
        {
            Url = new Uri(Url, "/pkarr"),
            SecretKey = s_key,
            Filter = filter,
            HttpClient = _http,
        });
        await publisher.PublishAsync(record);
        while (publisher.Published is null)
        {
            Assert.Null(publisher.LastFailure);
            await Task.Delay(10, _patience.Token);
        }

        return publisher;
    }

    private async Task<List<LookupResult>> CollectAsync(IAddressLookup lookup, EndpointId id)
    {
        var results = new List<LookupResult>();
        await foreach (LookupResult result in lookup.ResolveAsync(id, _patience.Token))
            results.Add(result);
        return results;
    }
}
