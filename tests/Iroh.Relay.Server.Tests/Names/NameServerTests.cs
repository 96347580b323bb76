using System.Buffers.Text;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using Blixard.Testing.Basics;
using Iroh.Base;
using Iroh.Dns;
using Iroh.Dns.Messages;
using Iroh.Dns.Pkarr;
using Iroh.Dns.Zones;
using Iroh.Relay.Server.Names;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;

namespace Iroh.Relay.Server.Tests.Names;

public sealed class NameServerTests : IAsyncLifetime
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private static readonly SecretKey s_key = SecretKey.FromBytes(Enumerable.Repeat((byte)3, 32).ToArray());
    private static readonly DomainName s_origin = DomainName.Parse("dns.test");
    private static readonly DomainName s_name = s_origin.Prepend(s_key.PublicKey.ToZBase32()).Prepend("_iroh");

    private readonly ManualTimeProvider _time = new();
    private readonly HttpClient _http = new() { Timeout = s_patience };
    private readonly string _folder = Directory.CreateTempSubdirectory("names").FullName;
    private readonly List<IAsyncDisposable> _running = [];

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        for (int i = _running.Count - 1; i >= 0; i--)
            await _running[i].DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task A_packet_that_was_put_is_found_over_UDP_TCP_HTTPS_and_pkarr()
    {
        (NameServer server, Uri url) = await StartAsync();
        EndpointRecord record = Record("https://relay.example.com/");
        PkarrPacket packet = PkarrPacket.Sign(s_key, 1, record);
        using HttpResponseMessage put = await PutAsync(url, packet);
        Assert.Equal(HttpStatusCode.NoContent, put.StatusCode);

        byte[] query = Query(s_name, DnsType.TXT);
        Assert.Equal(record, ToRecord(await AskOverUdpAsync(server.DnsEndPoints[0], query)));
        Assert.Equal(record, ToRecord((await AskOverTcpAsync(server.DnsEndPoints[0], query, query)).Last()));

        using HttpResponseMessage get = await _http.GetAsync(new Uri(url, $"/dns-query?dns={Base64Url.EncodeToString(query)}"));
        Assert.Equal("application/dns-message", get.Content.Headers.ContentType!.MediaType);
        Assert.Equal(TimeSpan.FromSeconds(30), get.Headers.CacheControl!.MaxAge);
        Assert.Equal(record, ToRecord(await get.Content.ReadAsByteArrayAsync()));
        using var body = new ByteArrayContent(query);
        body.Headers.ContentType = new MediaTypeHeaderValue("application/dns-message");
        using HttpResponseMessage post = await _http.PostAsync(new Uri(url, "/dns-query"), body);
        Assert.Equal(record, ToRecord(await post.Content.ReadAsByteArrayAsync()));

        using HttpResponseMessage signed = await _http.GetAsync(PacketUrl(url));
        Assert.Equal("application/x-pkarr-signed-packet", signed.Content.Headers.ContentType!.MediaType);
        Assert.Equal("*", signed.Headers.GetValues("Access-Control-Allow-Origin").Single());
        Assert.Equal(packet.Payload.ToArray(), await signed.Content.ReadAsByteArrayAsync());
    }

    [Fact]
    public async Task What_does_not_fit_over_UDP_is_cut_and_comes_over_TCP()
    {
        (NameServer server, Uri url) = await StartAsync();
        EndpointRecord record = Record([.. Enumerable.Range(1, 20).Select(port => $"192.0.2.1:{port}")]);
        await PutAsync(url, PkarrPacket.Sign(s_key, 1, record));
        byte[] query = Query(s_name, DnsType.TXT);
        byte[] cut = await AskOverUdpAsync(server.DnsEndPoints[0], query);
        Assert.True(DnsMessage.TryRead(cut, out DnsMessage? answer) && answer.IsTruncated);
        Assert.Equal(record, ToRecord(Assert.Single(await AskOverTcpAsync(server.DnsEndPoints[0], query))));
    }

    [Fact]
    public async Task An_older_packet_is_accepted_and_changes_nothing()
    {
        (NameServer server, Uri url) = await StartAsync();
        await PutAsync(url, PkarrPacket.Sign(s_key, 9, Record("192.0.2.9:9")));
        using HttpResponseMessage put = await PutAsync(url, PkarrPacket.Sign(s_key, 8, Record("192.0.2.8:8")));
        Assert.Equal(HttpStatusCode.NoContent, put.StatusCode);
        Assert.Equal(Record("192.0.2.9:9"), ToRecord(await AskOverUdpAsync(server.DnsEndPoints[0], Query(s_name, DnsType.TXT))));
    }

    [Fact]
    public async Task Requests_that_cannot_be_served_say_why()
    {
        (_, Uri url) = await StartAsync(putBurst: 0);
        await AssertRefusedAsync(await _http.GetAsync(PacketUrl(url)), HttpStatusCode.NotFound, "has not put");
        await AssertRefusedAsync(await _http.GetAsync(new Uri(url, "/pkarr/abc")), HttpStatusCode.BadRequest, "52 characters");
        await AssertRefusedAsync(await PutAsync(url, new byte[100]), HttpStatusCode.BadRequest, "signature");
        await AssertRefusedAsync(await PutAsync(url, new byte[10]), HttpStatusCode.BadRequest, "84 to 1072 bytes");
        await AssertRefusedAsync(await PutAsync(url, new byte[1073]), HttpStatusCode.RequestEntityTooLarge, "at most 1072");
        await AssertRefusedAsync(await _http.GetAsync(new Uri(url, "/dns-query")), HttpStatusCode.BadRequest, "base 64");
        await AssertRefusedAsync(await _http.GetAsync(new Uri(url, "/dns-query?dns=!!!!")), HttpStatusCode.BadRequest, "base 64");
        await AssertRefusedAsync(await _http.GetAsync(new Uri(url, "/dns-query?dns=AAAA")), HttpStatusCode.BadRequest, "not a DNS query");
        using var text = new StringContent("hello");
        await AssertRefusedAsync(await _http.PostAsync(new Uri(url, "/dns-query"), text), HttpStatusCode.UnsupportedMediaType, "application/dns-message");
    }

    [Fact]
    public async Task An_address_that_puts_too_often_waits()
    {
        (_, Uri url) = await StartAsync();
        for (ulong i = 1; i <= 32; i++)
        {
            using HttpResponseMessage put = await PutAsync(url, PkarrPacket.Sign(s_key, i, Record()));
            Assert.Equal(HttpStatusCode.NoContent, put.StatusCode);
        }

        HttpResponseMessage next = await PutAsync(url, PkarrPacket.Sign(s_key, 33, Record()));
        Assert.Equal(TimeSpan.FromSeconds(1), next.Headers.RetryAfter!.Delta);
        await AssertRefusedAsync(next, HttpStatusCode.TooManyRequests, "Too many");
        _time.Advance(TimeSpan.FromSeconds(1));
        using HttpResponseMessage later = await PutAsync(url, PkarrPacket.Sign(s_key, 34, Record()));
        Assert.Equal(HttpStatusCode.NoContent, later.StatusCode);
    }

    [Fact]
    public async Task Packets_survive_a_restart_for_seven_days_after_they_came()
    {
        string path = Path.Combine(_folder, "names.db");
        (NameServer server, Uri url) = await StartAsync(path, putBurst: 0);
        await PutAsync(url, PkarrPacket.Sign(s_key, 5, Record("192.0.2.5:5")));
        await PutAsync(url, PkarrPacket.Sign(s_key, 6, Record("192.0.2.6:6")));
        await server.DisposeAsync();

        _time.Advance(TimeSpan.FromDays(6));
        (server, _) = await StartAsync(path);
        Assert.Equal(1, server.PacketCount);
        Assert.Equal(Record("192.0.2.6:6"), ToRecord(await AskOverUdpAsync(server.DnsEndPoints[0], Query(s_name, DnsType.TXT))));
        await server.DisposeAsync();

        _time.Advance(TimeSpan.FromDays(1));
        (server, _) = await StartAsync(path);
        Assert.Equal(0, server.PacketCount);
    }

    [Fact]
    public async Task What_was_acknowledged_is_in_the_file_although_the_server_was_never_stopped()
    {
        string path = Path.Combine(_folder, "names.db");
        (_, Uri url) = await StartAsync(path, putBurst: 0);
        Task<HttpResponseMessage>[] puts =
        [
            .. Enumerable.Range(0, 50).Select(i =>
            {
                SecretKey key = SecretKey.FromBytes([(byte)i, .. new byte[31]]);
                return PutAsync(url, key.PublicKey, PkarrPacket.Sign(key, 1, new EndpointRecord(key.PublicKey)).Payload.ToArray());
            }),
        ];
        Assert.All(await Task.WhenAll(puts), put => Assert.Equal(HttpStatusCode.NoContent, put.StatusCode));

        // As a process that is killed leaves them: the file and its log, copied while the server runs.
        foreach (string file in Directory.GetFiles(_folder, "names.db*"))
            File.Copy(file, file.Replace("names.db", "copy.db", StringComparison.Ordinal));
        File.Delete(Path.Combine(_folder, "copy.db-shm"));
        (NameServer second, _) = await StartAsync(Path.Combine(_folder, "copy.db"));
        Assert.Equal(50, second.PacketCount);
    }

    [Fact]
    public async Task A_file_that_is_no_database_and_a_port_that_is_taken_are_explained()
    {
        string path = Path.Combine(_folder, "broken.db");
        await File.WriteAllTextAsync(path, new string('x', 10_000));
        NameServerException exception = await Assert.ThrowsAsync<NameServerException>(() => StartAsync(path));
        Assert.Contains(path, exception.Message, StringComparison.Ordinal);

        (NameServer server, _) = await StartAsync();
        exception = await Assert.ThrowsAsync<NameServerException>(() => StartAsync(endPoint: server.DnsEndPoints[0]));
        Assert.Contains(server.DnsEndPoints[0].ToString(), exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_TCP_connection_without_queries_is_closed_and_nonsense_ends_it()
    {
        (NameServer server, _) = await StartAsync();
        using var silent = new TcpClient();
        await silent.ConnectAsync(server.DnsEndPoints[0]);
        await _time.UntilTimerAsync(TimeSpan.FromSeconds(9), TimeSpan.FromSeconds(10));
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(0, await ReadAsync(silent));

        using var rude = new TcpClient();
        await rude.ConnectAsync(server.DnsEndPoints[0]);
        await rude.GetStream().WriteAsync(new byte[] { 0xff, 0xff, 1, 2, 3 });
        Assert.Equal(0, await ReadAsync(rude));
    }

    private static async Task<int> ReadAsync(TcpClient client)
    {
        using var patience = new CancellationTokenSource(s_patience);
        try
        {
            return await client.GetStream().ReadAsync(new byte[1], patience.Token);
        }
        catch (IOException)
        {
            return 0;
        }
    }

    private static async Task AssertRefusedAsync(HttpResponseMessage response, HttpStatusCode status, string detail)
    {
        using (response)
        {
            Assert.Equal(status, response.StatusCode);
            using var json = System.Text.Json.JsonDocument.Parse(await response.Content.ReadAsStringAsync());
            Assert.Equal((int)status, json.RootElement.GetProperty("status").GetInt32());
            Assert.Contains(detail, json.RootElement.GetProperty("detail").GetString(), StringComparison.Ordinal);
        }
    }

    private static async Task<byte[]> AskOverUdpAsync(IPEndPoint server, byte[] query)
    {
        using var client = new UdpClient();
        client.Connect(server);
        await client.SendAsync(query);
        return (await client.ReceiveAsync().WaitAsync(s_patience)).Buffer;
    }

    /// <summary>Sends all queries at once over one connection and reads as many answers.</summary>
    private static async Task<List<byte[]>> AskOverTcpAsync(IPEndPoint server, params byte[][] queries)
    {
        using var patience = new CancellationTokenSource(s_patience);
        using var client = new TcpClient();
        await client.ConnectAsync(server, patience.Token);
        NetworkStream stream = client.GetStream();
        await stream.WriteAsync(queries.SelectMany(query => (byte[])[(byte)(query.Length >> 8), (byte)query.Length, .. query]).ToArray(), patience.Token);
        var answers = new List<byte[]>();
        foreach (byte[] _ in queries)
        {
            byte[] length = new byte[2];
            await stream.ReadExactlyAsync(length, patience.Token);
            byte[] answer = new byte[(length[0] << 8) | length[1]];
            await stream.ReadExactlyAsync(answer, patience.Token);
            answers.Add(answer);
        }

        return answers;
    }

    private static byte[] Query(DomainName name, DnsType type) => new DnsMessage { Id = 5, Questions = [new DnsQuestion(name, type)] }.ToBytes();

    private static EndpointRecord Record(params string[] addresses) => new(new EndpointAddress(
        s_key.PublicKey,
        addresses.Select(address => address.Contains("//", StringComparison.Ordinal)
            ? TransportAddress.Relay(RelayUrl.Parse(address))
            : TransportAddress.Ip(IPEndPoint.Parse(address)))));

    private static EndpointRecord ToRecord(byte[] answer)
    {
        Assert.True(DnsMessage.TryRead(answer, out DnsMessage? message));
        Assert.False(message.IsTruncated);
        return message.ToEndpointRecord(s_key.PublicKey, s_name);
    }

    private static Uri PacketUrl(Uri url) => new(url, $"/pkarr/{s_key.PublicKey.ToZBase32()}");

    private Task<HttpResponseMessage> PutAsync(Uri url, PkarrPacket packet) => PutAsync(url, packet.Payload.ToArray());

    private Task<HttpResponseMessage> PutAsync(Uri url, byte[] body) => PutAsync(url, s_key.PublicKey, body);

    private async Task<HttpResponseMessage> PutAsync(Uri url, EndpointId id, byte[] body)
    {
        using var content = new ByteArrayContent(body);
        return await _http.PutAsync(new Uri(url, $"/pkarr/{id.ToZBase32()}"), content);
    }

    private async Task<(NameServer Server, Uri Url)> StartAsync(string? databasePath = null, int putBurst = 32, IPEndPoint? endPoint = null)
    {
        NameServer server = await NameServer.StartAsync(new NameServerOptions
        {
            Zone = new NameZoneConfiguration { Origins = [s_origin] },
            DnsEndPoints = [endPoint ?? new IPEndPoint(IPAddress.Loopback, 0)],
            DatabasePath = databasePath,
            PutBurst = putBurst,
            Time = _time,
        });
        _running.Add(server);
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        WebApplication application = builder.Build();
        _running.Add(application);
        application.MapNameServer(server);
        await application.StartAsync();
        return (server, new Uri(application.Urls.Single()));
    }
}
