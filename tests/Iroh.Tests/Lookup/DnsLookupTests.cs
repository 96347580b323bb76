using System.Net;
using System.Net.Sockets;
using Blixard.Testing.Basics;
using Iroh.Base;
using Iroh.Dns;
using Iroh.Dns.Messages;
using Iroh.Dns.Pkarr;
using Iroh.Dns.Zones;
using Iroh.Lookup;

namespace Iroh.Tests.Lookup;

public sealed class DnsLookupTests
{
    private const string Origin = "dns.test";

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private static readonly SecretKey s_key = SecretKey.FromBytes(Enumerable.Repeat((byte)9, 32).ToArray());
    private static readonly EndpointRecord s_record = new(
        new EndpointAddress(s_key.PublicKey, [TransportAddress.Relay(RelayUrl.Parse("https://relay.example/"))]), "hello");

    [Fact(Timeout = Patience.Test)]
    public async Task A_record_is_found_although_the_first_query_is_lost()
    {
        int queries = 0;
        using Server server = new((query, zone) => Interlocked.Increment(ref queries) == 1 ? null : zone(query));
        LookupResult result = Assert.Single(await CollectAsync(server.EndPoint));
        Assert.Equal(s_record, new EndpointRecord(result.Address, result.UserData));
        Assert.Equal("dns", result.Provenance);
        Assert.True(queries >= 2);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task One_good_server_among_dead_and_broken_ones_is_enough()
    {
        using Server dead = new((_, _) => null);
        using Server broken = new((query, zone) => zone(query) is { } answer && DnsMessage.TryRead(answer, out DnsMessage? message)
            ? (message with { ResponseCode = DnsResponseCode.ServerFailure, Answers = [] }).ToBytes()
            : null);
        using Server good = new((query, zone) => zone(query));
        Assert.Single(await CollectAsync(dead.EndPoint, broken.EndPoint, good.EndPoint));
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Answers_with_another_id_or_question_are_passed_over()
    {
        using Server server = new((query, zone) => zone(query), (query, zone) =>
        {
            Assert.True(DnsMessage.TryRead(zone(query), out DnsMessage? answer));
            DnsRecord forged = DnsRecord.Text(answer.Questions[0].Name, 30, "user-data=forged");
            return
            [
                (answer with { Id = (ushort)(answer.Id + 1), Answers = [forged] }).ToBytes(),
                (answer with { IsResponse = false, Answers = [forged] }).ToBytes(),
                (answer with { Questions = [answer.Questions[0] with { Type = DnsType.A }], Answers = [forged] }).ToBytes(),
                [1, 2, 3],
            ];
        });
        Assert.Equal("hello", Assert.Single(await CollectAsync(server.EndPoint)).UserData);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task An_endpoint_that_the_zone_does_not_have_is_not_found()
    {
        using Server server = new((query, zone) => zone(query));
        Assert.Empty(await CollectAsync(SecretKey.Generate().PublicKey, server.EndPoint));
    }

    [Fact(Timeout = Patience.Test)]
    public async Task When_nobody_answers_the_error_names_who_was_asked()
    {
        using Server refusing = new((query, zone) => zone(query));
        AddressLookupException exception = await Assert.ThrowsAsync<AddressLookupException>(
            () => CollectAsync(s_key.PublicKey, "elsewhere.test", refusing.EndPoint));
        Assert.False(exception.IsNotFound);
        Assert.Contains(refusing.EndPoint.ToString(), exception.Message, StringComparison.Ordinal);
        Assert.Contains("Refused", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_origin_that_is_no_name_and_an_empty_list_of_servers_are_refused()
    {
        Assert.Throws<FormatException>(() => new DnsLookup(new DnsLookupOptions { Origin = "a..b" }));
        Assert.Throws<ArgumentException>(() => new DnsLookup(new DnsLookupOptions { Origin = Origin, Servers = [] }));
        Assert.Throws<ArgumentException>(() => new DnsLookup(new DnsLookupOptions { Origin = string.Join('.', Enumerable.Repeat(new string('x', 60), 4)) }));
    }

    private static Task<List<LookupResult>> CollectAsync(params IPEndPoint[] servers) => CollectAsync(s_key.PublicKey, servers);

    private static Task<List<LookupResult>> CollectAsync(EndpointId id, params IPEndPoint[] servers) => CollectAsync(id, Origin, servers);

    private static async Task<List<LookupResult>> CollectAsync(EndpointId id, string origin, params IPEndPoint[] servers)
    {
        using var patience = new CancellationTokenSource(s_patience);
        var lookup = new DnsLookup(new DnsLookupOptions { Origin = origin, Servers = servers });
        var results = new List<LookupResult>();
        await foreach (LookupResult result in lookup.ResolveAsync(id, patience.Token))
            results.Add(result);
        return results;
    }

    /// <summary>A DNS server that may lose, forge or break its answers.</summary>
    private sealed class Server : IDisposable
    {
        private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        private readonly NameZone _zone = new(new NameZoneConfiguration { Origins = [DomainName.Parse(Origin)] });
        private readonly Task _loop;

        public Server(
            Func<byte[], Func<byte[], byte[]?>, byte[]?> answer,
            Func<byte[], Func<byte[], byte[]?>, IEnumerable<byte[]>>? before = null)
        {
            _zone.Packets.Put(DateTimeOffset.UnixEpoch, PkarrPacket.Sign(s_key, 1, s_record));
            _socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            _loop = Task.Run(() => RunAsync(answer, before));
        }

        public IPEndPoint EndPoint => (IPEndPoint)_socket.LocalEndPoint!;

        public void Dispose()
        {
            _socket.Dispose();
            _loop.Wait(s_patience);
        }

        private async Task RunAsync(
            Func<byte[], Func<byte[], byte[]?>, byte[]?> answer,
            Func<byte[], Func<byte[], byte[]?>, IEnumerable<byte[]>>? before)
        {
            byte[] buffer = new byte[2000];
            try
            {
                while (true)
                {
                    SocketReceiveFromResult received = await _socket.ReceiveFromAsync(buffer, SocketFlags.None, new IPEndPoint(IPAddress.Any, 0));
                    byte[] query = buffer[..received.ReceivedBytes];
                    foreach (byte[] packet in before?.Invoke(query, Zone) ?? [])
                        await _socket.SendToAsync(packet, received.RemoteEndPoint);
                    if (answer(query, Zone) is { } bytes)
                        await _socket.SendToAsync(bytes, received.RemoteEndPoint);
                }
            }
            catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
            {
            }
        }

        private byte[]? Zone(byte[] query) => _zone.Answer(DateTimeOffset.UnixEpoch, query, isSourceProven: true);
    }
}
