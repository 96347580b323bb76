using System.Net;
using System.Net.Http.Headers;
using System.Threading.Channels;
using Blixard.Testing.Basics;
using Iroh.Base;
using Iroh.Cryptography;
using Iroh.Dns;
using Iroh.Dns.Pkarr;
using Iroh.Lookup;

namespace Iroh.Tests.Lookup;

public sealed class PkarrPublisherTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private static readonly SecretKey s_key = SecretKey.FromBytes(Enumerable.Repeat((byte)9, 32).ToArray());
    private static readonly Uri s_url = new("https://names.test/pkarr/");

    private readonly ManualTimeProvider _time = new();

    [Fact(Timeout = Patience.Test)]
    public async Task A_record_is_put_at_once_with_its_relays_only()
    {
        var server = new Server();
        await using PkarrPublisher publisher = Start(server);
        await publisher.PublishAsync(Record("https://relay.example/", "192.0.2.1:7"));
        PkarrPacket packet = await server.NextAsync();
        Assert.Equal(Record("https://relay.example/"), packet.ToRecord());
        Assert.Equal($"https://names.test/pkarr/{s_key.PublicKey.ToZBase32()}", server.LastUrl!.ToString());
        Assert.Equal(Micros(_time.GetUtcNow()), packet.Timestamp);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Nothing_is_put_before_there_is_something_to_tell_and_the_same_thing_not_again()
    {
        var server = new Server();
        await using PkarrPublisher publisher = Start(server);
        await publisher.PublishAsync(Record("192.0.2.1:7"));
        await publisher.PublishAsync(Record("https://a.example/"));
        Assert.Equal(Record("https://a.example/"), (await server.NextAsync()).ToRecord());
        await publisher.PublishAsync(Record("https://a.example/", "192.0.2.2:7"));
        await publisher.PublishAsync(Record("https://b.example/"));
        Assert.Equal(Record("https://b.example/"), (await server.NextAsync()).ToRecord());

        // What is lost is taken back: others must not dial a relay that is not there.
        await publisher.PublishAsync(Record());
        Assert.Equal(Record(), (await server.NextAsync()).ToRecord());
    }

    [Fact(Timeout = Patience.Test)]
    public async Task An_unchanged_record_is_put_again_within_five_minutes()
    {
        var server = new Server();
        await using PkarrPublisher publisher = Start(server);
        await publisher.PublishAsync(Record("https://a.example/"));
        PkarrPacket first = await server.NextAsync();
        TimeSpan due = await _time.UntilTimerAsync(TimeSpan.FromMinutes(4.5), TimeSpan.FromMinutes(5));
        _time.Advance(due);
        PkarrPacket second = await server.NextAsync();
        Assert.Equal(first.ToRecord(), second.ToRecord());
        Assert.Equal(Micros(_time.GetUtcNow()), second.Timestamp);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_failure_is_tried_again_after_as_many_seconds_as_there_were_failures()
    {
        var server = new Server { Failures = 3 };
        await using PkarrPublisher publisher = Start(server);
        await publisher.PublishAsync(Record("https://a.example/"));
        for (int seconds = 1; seconds <= 3; seconds++)
        {
            await server.FailedAsync();
            await _time.UntilTimerAsync(TimeSpan.FromSeconds(seconds), TimeSpan.FromSeconds(seconds));
            Assert.Contains("503", publisher.LastFailure, StringComparison.Ordinal);
            _time.Advance(TimeSpan.FromSeconds(seconds));
        }

        await server.NextAsync();
        await _time.UntilTimerAsync(TimeSpan.FromMinutes(4.5), TimeSpan.FromMinutes(5));
        Assert.Null(publisher.LastFailure);
        Assert.Equal(Record("https://a.example/"), publisher.Published);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_server_that_asks_for_patience_gets_it()
    {
        var server = new Server { Failures = 1, RetryAfter = TimeSpan.FromSeconds(40) };
        await using PkarrPublisher publisher = Start(server);
        await publisher.PublishAsync(Record("https://a.example/"));
        await server.FailedAsync();
        await _time.UntilTimerAsync(TimeSpan.FromSeconds(40), TimeSpan.FromSeconds(40));
        _time.Advance(TimeSpan.FromSeconds(40));
        await server.NextAsync();
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Timestamps_grow_across_restarts_even_when_the_clock_went_back()
    {
        var server = new Server { Stored = PkarrPacket.Sign(s_key, Micros(_time.GetUtcNow().AddYears(1)), Record("https://old.example/")) };
        ulong before = server.Stored.Timestamp;
        await using (PkarrPublisher publisher = Start(server))
        {
            await publisher.PublishAsync(Record("https://a.example/"));
            Assert.Equal(before + 1, (await server.NextAsync()).Timestamp);
            await publisher.PublishAsync(Record("https://b.example/"));
            Assert.Equal(before + 2, (await server.NextAsync()).Timestamp);
        }

        await using PkarrPublisher again = Start(server);
        await again.PublishAsync(Record("https://c.example/"));
        Assert.Equal(before + 3, (await server.NextAsync()).Timestamp);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Records_of_others_and_addresses_of_no_server_are_refused()
    {
        await using PkarrPublisher publisher = Start(new Server());
        await Assert.ThrowsAsync<ArgumentException>(() => publisher.PublishAsync(new EndpointRecord(SecretKey.Generate().PublicKey)).AsTask());
        Assert.Throws<ArgumentException>(() => new PkarrPublisher(new PkarrPublisherOptions { Url = new Uri("ftp://names.test"), SecretKey = s_key }));
        Assert.Throws<ArgumentException>(() => new PkarrLookup(new Uri("/pkarr", UriKind.Relative)));
    }

    [Fact(Timeout = Patience.Test)]
    public async Task What_was_put_is_got_with_the_time_of_its_signature()
    {
        var server = new Server { Stored = PkarrPacket.Sign(s_key, Micros(_time.GetUtcNow()), Record("https://a.example/")) };
        LookupResult result = Assert.Single(await CollectAsync(server));
        Assert.Equal(Record("https://a.example/").Address, result.Address);
        Assert.Equal(("pkarr", _time.GetUtcNow()), (result.Provenance, result.UpdatedAt));
    }

    [Fact(Timeout = Patience.Test)]
    public async Task An_unknown_endpoint_and_one_that_has_just_started_are_not_found()
    {
        Assert.Empty(await CollectAsync(new Server()));
        Assert.Empty(await CollectAsync(new Server { Stored = PkarrPacket.Sign(s_key, 1, Record()) }));
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_server_that_lies_or_does_not_answer_is_named_in_the_error()
    {
        SecretKey stranger = SecretKey.Generate();
        var liar = new Server { Stored = PkarrPacket.Sign(stranger, 1, new EndpointRecord(stranger.PublicKey)) };
        Task<List<LookupResult>> collecting = CollectAsync(liar);
        foreach (double seconds in (double[])[0.5, 2])
        {
            await _time.UntilTimerAsync(TimeSpan.FromSeconds(seconds), TimeSpan.FromSeconds(seconds));
            _time.Advance(TimeSpan.FromSeconds(seconds));
        }

        AddressLookupException exception = await Assert.ThrowsAsync<AddressLookupException>(() => collecting);
        Assert.False(exception.IsNotFound);
        Assert.Contains("https://names.test/pkarr", exception.Message, StringComparison.Ordinal);
        Assert.Contains("signature", exception.Message, StringComparison.Ordinal);
    }

    private static ulong Micros(DateTimeOffset time) => (ulong)(time - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;

    private static EndpointRecord Record(params string[] addresses) => new(new EndpointAddress(
        s_key.PublicKey,
        addresses.Select(address => address.Contains("//", StringComparison.Ordinal)
            ? TransportAddress.Relay(RelayUrl.Parse(address))
            : TransportAddress.Ip(IPEndPoint.Parse(address)))));

    private PkarrPublisher Start(Server server) => new(new PkarrPublisherOptions
    {
        Url = s_url,
        SecretKey = s_key,
        HttpClient = new HttpClient(server),
        Time = _time,
        Random = new SeededRandomSource(1),
    });

    private async Task<List<LookupResult>> CollectAsync(Server server)
    {
        using var patience = new CancellationTokenSource(s_patience);
        var results = new List<LookupResult>();
        await foreach (LookupResult result in new PkarrLookup(s_url, new HttpClient(server), _time).ResolveAsync(s_key.PublicKey, patience.Token))
            results.Add(result);
        return results;
    }

    /// <summary>A pkarr server that fails as often as it is told to.</summary>
    private sealed class Server : HttpMessageHandler
    {
        private readonly Channel<PkarrPacket> _puts = Channel.CreateUnbounded<PkarrPacket>();
        private readonly Channel<bool> _failures = Channel.CreateUnbounded<bool>();

        public PkarrPacket? Stored { get; set; }

        public int Failures { get; set; }

        public TimeSpan? RetryAfter { get; set; }

        public Uri? LastUrl { get; private set; }

        public Task<PkarrPacket> NextAsync() => _puts.Reader.ReadAsync().AsTask().WaitAsync(s_patience);

        public Task FailedAsync() => _failures.Reader.ReadAsync().AsTask().WaitAsync(s_patience);

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            LastUrl = request.RequestUri;
            if (request.Method == HttpMethod.Get)
            {
                return Stored is null
                    ? new HttpResponseMessage(HttpStatusCode.NotFound)
                    : new HttpResponseMessage(HttpStatusCode.OK) { Content = new ReadOnlyMemoryContent(Stored.Payload) };
            }

            if (Failures > 0)
            {
                Failures--;
                var refusal = new HttpResponseMessage(HttpStatusCode.ServiceUnavailable);
                if (RetryAfter is { } delay)
                    refusal.Headers.RetryAfter = new RetryConditionHeaderValue(delay);
                _failures.Writer.TryWrite(true);
                return refusal;
            }

            byte[] body = await request.Content!.ReadAsByteArrayAsync(cancellationToken);
            Assert.True(PkarrPacket.TryRead(s_key.PublicKey, body, out PkarrPacket? packet, out _));
            Stored = packet;
            _puts.Writer.TryWrite(packet);
            return new HttpResponseMessage(HttpStatusCode.NoContent);
        }
    }
}
