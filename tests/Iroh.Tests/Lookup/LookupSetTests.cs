using System.Net;
using System.Runtime.CompilerServices;
using Blixard.Testing.Basics;
using Iroh.Base;
using Iroh.Dns;
using Iroh.Lookup;

namespace Iroh.Tests.Lookup;

public sealed class LookupSetTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private static readonly EndpointId s_id = SecretKey.FromBytes(Enumerable.Repeat((byte)7, 32).ToArray()).PublicKey;

    [Fact(Timeout = Patience.Test)]
    public async Task The_answers_of_all_services_come_with_the_name_of_who_gave_them()
    {
        var first = new MemoryLookup(name: "first");
        var second = new MemoryLookup(name: "second");
        first.Add(Address("10.0.0.1:1"));
        second.Set(new EndpointRecord(Address("10.0.0.2:2"), "hello"));
        await using var set = new LookupSet([first, second]);
        List<LookupResult> results = await CollectAsync(set);
        Assert.Equal(["first", "second"], results.Select(result => result.Provenance).Order());
        Assert.Equal("hello", results.Single(result => result.Provenance == "second").UserData);
        Assert.Equal(2, results.SelectMany(result => result.Address.DirectAddresses).Distinct().Count());
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_service_that_breaks_does_not_hide_what_the_others_know()
    {
        var memory = new MemoryLookup();
        memory.Add(Address("10.0.0.1:1"));
        await using var set = new LookupSet([new Broken(), memory]);
        Assert.Equal("memory_lookup", Assert.Single(await CollectAsync(set)).Provenance);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task When_nobody_knows_the_exception_says_what_each_service_said()
    {
        await using var set = new LookupSet([new MemoryLookup(), new Broken()]);
        AddressLookupException exception = await Assert.ThrowsAsync<AddressLookupException>(() => CollectAsync(set));
        Assert.False(exception.IsNotFound);
        Assert.Contains("memory_lookup: not known; broken: the cable is out", exception.Message, StringComparison.Ordinal);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task When_every_service_answered_that_it_knows_nothing_the_endpoint_is_not_found()
    {
        await using var set = new LookupSet([new MemoryLookup()]);
        Assert.True((await Assert.ThrowsAsync<AddressLookupException>(() => CollectAsync(set))).IsNotFound);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_set_without_services_says_that_there_is_none()
    {
        await using var set = new LookupSet([]);
        AddressLookupException exception = await Assert.ThrowsAsync<AddressLookupException>(() => CollectAsync(set));
        Assert.Contains("no look-up service is configured", exception.Message, StringComparison.Ordinal);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Whoever_has_seen_enough_stops_the_services_that_still_search()
    {
        var memory = new MemoryLookup();
        memory.Add(Address("10.0.0.1:1"));
        var endless = new Endless();
        await using var set = new LookupSet([endless, memory]);
        await foreach (LookupResult result in set.ResolveAsync(s_id))
        {
            Assert.Equal("memory_lookup", result.Provenance);
            break;
        }

        await endless.Stopped.WaitAsync(s_patience);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Publishing_reaches_every_service_even_if_one_of_them_refuses()
    {
        var first = new Broken { RefusesRecords = true };
        var second = new Broken();
        await using var set = new LookupSet([first, second]);
        var record = new EndpointRecord(Address("10.0.0.1:1"), "mine");
        await Assert.ThrowsAsync<ArgumentException>(() => set.PublishAsync(record).AsTask());
        Assert.Equal(record, first.Published);
        Assert.Equal(record, second.Published);
    }

    [Fact]
    public void Memory_joins_what_is_added_and_forgets_what_is_replaced()
    {
        var memory = new MemoryLookup();
        memory.Add(Address("10.0.0.1:1"));
        memory.Add(new EndpointRecord(Address("10.0.0.2:2"), "text"));
        memory.Add(Address("10.0.0.1:1"));
        Assert.Equal(2, memory.Get(s_id)!.Address.Addresses.Count);
        Assert.Equal("text", memory.Get(s_id)!.UserData);
        Assert.NotNull(memory.Set(new EndpointRecord(Address("10.0.0.3:3"))));
        Assert.Equal(new EndpointRecord(Address("10.0.0.3:3")), memory.Remove(s_id));
        Assert.Null(memory.Get(s_id));
        Assert.Null(memory.Remove(s_id));
    }

    private static EndpointAddress Address(string endPoint) => new(s_id, [TransportAddress.Ip(IPEndPoint.Parse(endPoint))]);

    private static async Task<List<LookupResult>> CollectAsync(IAddressLookup lookup)
    {
        using var patience = new CancellationTokenSource(s_patience);
        var results = new List<LookupResult>();
        await foreach (LookupResult result in lookup.ResolveAsync(s_id, patience.Token))
            results.Add(result);
        return results;
    }

    private sealed class Broken : IAddressLookup
    {
        public string Name => "broken";

        public bool RefusesRecords { get; init; }

        public EndpointRecord? Published { get; private set; }

        public ValueTask PublishAsync(EndpointRecord record, CancellationToken cancellationToken = default)
        {
            Published = record;
            return RefusesRecords ? throw new ArgumentException("not mine") : ValueTask.CompletedTask;
        }

        public IAsyncEnumerable<LookupResult> ResolveAsync(EndpointId id, CancellationToken cancellationToken = default) =>
            throw new IOException("the cable is out");
    }

    private sealed class Endless : IAddressLookup
    {
        private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public string Name => "endless";

        public Task Stopped => _stopped.Task;

        public async IAsyncEnumerable<LookupResult> ResolveAsync(
            EndpointId id, [EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            try
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
            }
            finally
            {
                _stopped.TrySetResult();
            }

            yield break;
        }
    }
}
