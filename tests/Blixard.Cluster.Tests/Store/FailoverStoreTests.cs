using Blixard.Cluster.Store;
using Blixard.Cluster.Tests.Support;
using Blixard.Testing.Basics;
using Blixard.Testing.Linearizability;
using Blixard.Testing.Store;
using Iroh.Cryptography;

namespace Blixard.Cluster.Tests.Store;

/// <summary>Failover between candidates that answer for one store, with time that the tests move.</summary>
public sealed class FailoverStoreTests : IAsyncLifetime
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private readonly TemporaryStore _temporary = new();
    private readonly ManualTimeProvider _time = new();
    private readonly List<CandidateStore> _all;
    private readonly FailoverStore _store;
    private List<CandidateStore> _candidates;

    public FailoverStoreTests()
    {
        _all = [.. new[] { "a", "b", "c" }.Select(name => new CandidateStore(name, _temporary.Store))];
        _candidates = _all;
        _store = new FailoverStore(() => [.. _candidates], _time, new SeededRandomSource(1));
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await _store.DisposeAsync();
        await _temporary.DisposeAsync();
    }

    [Fact]
    public async Task It_stays_with_one_candidate()
    {
        await PutAsync("k", "1");
        Assert.Equal("1", await ReadAsync("k"));
        Assert.Equal((2, 0, 0), (_all[0].Calls, _all[1].Calls, _all[2].Calls));
    }

    [Theory]
    [InlineData(CandidateMode.Refuses)]
    [InlineData(CandidateMode.Fails)]
    [InlineData(CandidateMode.Closed)]
    public async Task A_read_is_tried_at_the_next_candidate_and_the_next_call_begins_there(object mode)
    {
        await PutAsync("k", "1");
        _all[0].Become((CandidateMode)mode);
        _all[1].Become((CandidateMode)mode);
        Assert.Equal("1", await ReadAsync("k"));
        Assert.Same(_all[2], _store.Current);
        int before = _all[0].Calls;
        Assert.Equal("1", await ReadAsync("k"));
        Assert.Equal(before, _all[0].Calls);
        Assert.NotNull(await _store.Replica.GetAsync("k", Cancel));
    }

    [Fact]
    public async Task A_read_leaves_a_candidate_that_does_not_answer_in_time()
    {
        await PutAsync("k", "1");
        _all[0].Become(CandidateMode.Hangs);
        Task<string?> read = ReadAsync("k");
        await _time.UntilTimerAsync(FailoverStore.ReadTimeout, FailoverStore.ReadTimeout);
        _time.Advance(FailoverStore.ReadTimeout);
        Assert.Equal("1", await read.WaitAsync(s_patience, Cancel));
        Assert.Same(_all[1], _store.Current);
    }

    [Fact]
    public async Task A_long_range_gets_the_time_it_needs_when_nobody_was_quick_enough()
    {
        _candidates = [_all[0]];
        await PutAsync("k", "1");
        _all[0].Become(CandidateMode.Hangs);
        Task<StoreRange> range = _store.RangeAsync("", Cancel).AsTask();
        await _time.UntilTimerAsync(FailoverStore.ReadTimeout, FailoverStore.ReadTimeout);
        _all[0].Become(CandidateMode.Answers);
        _time.Advance(FailoverStore.ReadTimeout);
        Assert.Single((await range.WaitAsync(s_patience, Cancel)).Entries);
    }

    [Fact]
    public async Task A_transaction_is_tried_elsewhere_if_it_had_no_effect()
    {
        _all[0].Become(CandidateMode.Refuses);
        _all[1].Become(CandidateMode.Refuses);
        await PutAsync("k", "1");
        Assert.Equal(1, _all[2].Calls);
        Assert.Same(_all[2], _store.Current);
    }

    [Theory]
    [InlineData(CandidateMode.Fails)]
    [InlineData(CandidateMode.DoesAndFails)]
    public async Task A_transaction_whose_outcome_is_unknown_is_not_tried_elsewhere(object mode)
    {
        _all[0].Become((CandidateMode)mode);
        StoreUnavailableException exception = await Assert.ThrowsAsync<StoreUnavailableException>(() => PutAsync("k", "1"));
        Assert.False(exception.HadNoEffect);
        Assert.Contains("unknown", exception.Message);
        Assert.Contains("a fails", exception.Message);
        Assert.Equal(0, _all[1].Calls);
        // Whoever looks, looks elsewhere.
        Assert.Equal((CandidateMode)mode == CandidateMode.DoesAndFails ? "1" : null, await ReadAsync("k"));
        Assert.Equal(1, _all[1].Calls);
    }

    [Fact]
    public async Task A_transaction_without_an_answer_ends_with_an_unknown_outcome()
    {
        _all[0].Become(CandidateMode.Hangs);
        Task put = PutAsync("k", "1");
        await _time.UntilTimerAsync(FailoverStore.TransactTimeout, FailoverStore.TransactTimeout);
        _time.Advance(FailoverStore.TransactTimeout);
        StoreUnavailableException exception = await Assert.ThrowsAsync<StoreUnavailableException>(() => put.WaitAsync(s_patience, Cancel));
        Assert.False(exception.HadNoEffect);
        Assert.Same(_all[1], _store.Current);
    }

    [Fact]
    public async Task When_every_candidate_fails_a_call_says_why_each_did()
    {
        _all.ForEach(candidate => candidate.Become(CandidateMode.Refuses));
        StoreUnavailableException read = await Assert.ThrowsAsync<StoreUnavailableException>(() => ReadAsync("k"));
        Assert.All(new[] { "a refuses", "b refuses", "c refuses" }, reason => Assert.Contains(reason, read.Message));
        Assert.True((await Assert.ThrowsAsync<StoreUnavailableException>(() => PutAsync("k", "1"))).HadNoEffect);
        _candidates = [];
        Assert.Contains("No server", (await Assert.ThrowsAsync<StoreUnavailableException>(() => ReadAsync("k"))).Message);
    }

    [Fact]
    public async Task What_is_wrong_with_the_call_is_not_the_candidates_fault()
    {
        StoreLease lease = await _store.GrantLeaseAsync(TimeSpan.FromMinutes(1), Cancel);
        Assert.Equal(TimeSpan.FromMinutes(1), await _store.KeepLeaseAsync(lease.Id, Cancel));
        await _store.RevokeLeaseAsync(lease.Id, Cancel);
        await Assert.ThrowsAsync<StoreLeaseNotFoundException>(async () =>
            await _store.TransactAsync(new([], [new StoreOperation.Put("k", default, lease.Id)]), Cancel));
        await Assert.ThrowsAsync<ArgumentException>(() => ReadAsync(""));
        Assert.Same(_all[0], _store.Current);
    }

    [Fact]
    public async Task A_call_that_its_caller_gives_up_leaves_nobody()
    {
        _all[0].Become(CandidateMode.Hangs);
        using var giveUp = new CancellationTokenSource();
        Task<StoreEntry?> read = _store.GetAsync("k", giveUp.Token).AsTask();
        await giveUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read.WaitAsync(s_patience, Cancel));
        Assert.Same(_all[0], _store.Current);
    }

    [Fact]
    public async Task It_goes_back_to_the_most_preferred_candidate_when_that_answers_again()
    {
        _all[0].Become(CandidateMode.Refuses);
        _all[1].Become(CandidateMode.Refuses);
        await PutAsync("k", "1");
        (int a, int b) = (_all[0].Calls, _all[1].Calls);
        _all[1].Become(CandidateMode.Answers);
        await ProbeAsync();
        await UntilAsync(() => ReferenceEquals(_store.Current, _all[1]));
        Assert.Equal((a + 1, b + 1), (_all[0].Calls, _all[1].Calls));
        _all[0].Become(CandidateMode.Answers);
        await ProbeAsync();
        await UntilAsync(() => ReferenceEquals(_store.Current, _all[0]));
        // And asks nobody any more.
        await UntilAsync(() => _all[0].Calls == a + 2);
        _time.Advance(FailoverStore.ProbeInterval * 3);
        Assert.Equal((a + 2, b + 1), (_all[0].Calls, _all[1].Calls));
    }

    [Fact]
    public async Task Probes_of_a_candidate_that_hangs_end_and_come_no_more_often_than_once_in_an_interval()
    {
        _all[0].Become(CandidateMode.Refuses);
        await PutAsync("k", "1");
        _all[0].Become(CandidateMode.Hangs);
        int before = _all[0].Calls;
        for (int probe = 1; probe <= 3; probe++)
        {
            await ProbeAsync();
            await UntilAsync(() => _all[0].Calls == before + probe);
            await _time.UntilTimerAsync(FailoverStore.ReadTimeout, FailoverStore.ReadTimeout);
            _time.Advance(FailoverStore.ReadTimeout);
        }

        Assert.Same(_all[1], _store.Current);
    }

    [Fact]
    public async Task A_watch_goes_on_elsewhere_and_misses_nothing_and_repeats_nothing()
    {
        await using Watching watching = Watch("/k/");
        await PutAsync("/k/0", "0");
        await watching.UntilAsync("0");
        Assert.Equal(1, _all[0].Watches);
        _all[0].Become(CandidateMode.Fails);
        await UntilAsync(() => _all[1].Watches == 1);
        await _temporary.Store.TransactAsync(new([], [new StoreOperation.Put("/k/1", "1"u8.ToArray())]), Cancel);
        await watching.UntilAsync("0", "1");
        _all[1].Become(CandidateMode.Hangs);
        await UntilAsync(() => _all[2].Watches == 1);
        Assert.Equal(["0", "1"], watching.Seen);
    }

    [Theory]
    [InlineData(1UL)]
    [InlineData(2UL)]
    [InlineData(3UL)]
    public async Task A_watch_over_candidates_that_fail_at_every_step_is_that_of_a_store_that_never_fails(ulong seed)
    {
        // Each lets some changes pass, which differ, and one of them repeats what was seen.
        var random = new SeededRandomSource(seed);
        _all.ForEach(candidate => candidate.WatchStepsMax = (int)random.NextBelow(4));
        _all[(int)random.NextBelow(3)].WatchStepsMax = 1;
        _all[(int)random.NextBelow(3)].RepeatsChanges = true;
        await using Watching watching = Watch("/k/");
        List<string> expected = [.. Enumerable.Range(0, 60).Select(i => $"{i}")];
        foreach (string value in expected)
            await _temporary.Store.TransactAsync(new([], [new StoreOperation.Put("/k/" + value, System.Text.Encoding.UTF8.GetBytes(value))]), Cancel);
        await UntilAsync(
            () =>
            {
                _time.Advance(TimeSpan.FromSeconds(1));
                return watching.Seen.Count >= expected.Count;
            },
            $"seed {seed}");
        Assert.Equal(expected, watching.Seen);
    }

    [Fact]
    public async Task A_watch_returns_with_the_preferred_candidate_although_its_own_is_well()
    {
        _all[0].Become(CandidateMode.Refuses);
        await PutAsync("/k/0", "0");
        await using Watching watching = Watch("/k/");
        await watching.UntilAsync("0");
        Assert.Equal(1, _all[1].Watches);
        _all[0].Become(CandidateMode.Answers);
        await ProbeAsync();
        await UntilAsync(() => _all[0].Watches == 1 && _all[1].Watches == 0);
        await PutAsync("/k/1", "1");
        await watching.UntilAsync("0", "1");
    }

    [Fact]
    public async Task A_watch_leaves_a_candidate_that_no_longer_answers_calls_although_the_watch_is_open()
    {
        await PutAsync("/k/0", "0");
        await using Watching watching = Watch("/k/");
        await watching.UntilAsync("0");
        _all[0].FailCallsOnly();
        Assert.Equal("0", await ReadAsync("/k/0"));
        await UntilAsync(() => _all[1].Watches == 1 && _all[0].Watches == 0);
        await PutAsync("/k/1", "1");
        await watching.UntilAsync("0", "1");
    }

    [Fact]
    public async Task A_watch_without_any_candidate_tries_again_with_growing_delays_and_goes_on()
    {
        await using Watching watching = Watch("/k/");
        await PutAsync("/k/0", "0");
        await watching.UntilAsync("0");
        _candidates = [];
        _all[0].Become(CandidateMode.Fails);
        foreach (double delay in new[] { 0.1, 0.2, 0.4, 0.8, 1.6, 2, 2 })
        {
            TimeSpan due = await _time.UntilTimerAsync(TimeSpan.FromTicks(1), TimeSpan.FromSeconds(10));
            // The rest is jitter.
            Assert.InRange(due.TotalSeconds, delay / 2, delay);
            _time.Advance(due);
        }

        await _time.UntilTimerAsync(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2));
        await _temporary.Store.TransactAsync(new([], [new StoreOperation.Put("/k/1", "1"u8.ToArray())]), Cancel);
        _candidates = [_all[2]];
        _time.Advance(TimeSpan.FromSeconds(2));
        await watching.UntilAsync("0", "1");
    }

    [Fact]
    public async Task A_compacted_watch_is_not_tried_elsewhere()
    {
        for (int i = 0; i < 2_100; i++)
            await _temporary.Store.TransactAsync(new([], [new StoreOperation.Put("k", default)]), Cancel);
        await Assert.ThrowsAsync<StoreCompactedException>(async () =>
        {
            await foreach (StoreChanges _ in _store.WatchAsync("", 1, Cancel))
            {
            }
        });
        Assert.Same(_all[0], _store.Current);
    }

    [Fact]
    public async Task Concurrent_clients_see_one_register_history_while_candidates_come_and_go()
    {
        var recorder = new HistoryRecorder();
        Task clients = new RegisterWorkload(recorder, seed: 11).RunAsync(_ => _store, clients: 4, operations: 60, Cancel);
        var random = new SeededRandomSource(3);
        CandidateMode[] modes = [CandidateMode.Answers, CandidateMode.Refuses, CandidateMode.Fails, CandidateMode.DoesAndFails, CandidateMode.Hangs];
        while (!clients.IsCompleted)
        {
            // One candidate is always well.
            _all[(int)random.NextBelow(2)].Become(modes[random.NextBelow((ulong)modes.Length)]);
            _time.Advance(TimeSpan.FromSeconds(1));
            await Task.WhenAny(clients, Task.Delay(2, Cancel));
        }

        await clients;
        LinearizabilityVerdict verdict = LinearizabilityChecker.Check(recorder.Operations);
        Assert.True(verdict is LinearizabilityVerdict.Linearizable, $"{verdict}");
    }

    private static async Task UntilAsync(Func<bool> condition, string what = "")
    {
        using var patience = new CancellationTokenSource(s_patience);
        while (!condition())
        {
            if (patience.IsCancellationRequested)
                throw new TimeoutException($"it did not come to pass {what}");
            await Task.Delay(5, Cancel);
        }
    }

    private async Task ProbeAsync()
    {
        await _time.UntilTimerAsync(FailoverStore.ProbeInterval, FailoverStore.ProbeInterval);
        _time.Advance(FailoverStore.ProbeInterval);
    }

    private async Task PutAsync(string key, string value) =>
        await _store.TransactAsync(new([], [new StoreOperation.Put(key, System.Text.Encoding.UTF8.GetBytes(value))]), Cancel);

    private async Task<string?> ReadAsync(string key) =>
        await _store.GetAsync(key, Cancel) is { } entry ? System.Text.Encoding.UTF8.GetString(entry.Value.Span) : null;

    private Watching Watch(string prefix) => new(_store, prefix);

    /// <summary>Collects the values that a watch sees.</summary>
    private sealed class Watching : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly Task _task;
        private readonly List<string> _seen = [];

        public Watching(FailoverStore store, string prefix) => _task = Task.Run(async () =>
        {
            await foreach (StoreChanges changes in store.WatchAsync(prefix, 1, _stop.Token))
            {
                lock (_seen)
                    _seen.AddRange(changes.Changes.Select(change => System.Text.Encoding.UTF8.GetString(change.Entry!.Value.Span)));
            }
        });

        public IReadOnlyList<string> Seen
        {
            get
            {
                lock (_seen)
                    return [.. _seen];
            }
        }

        public async Task UntilAsync(params string[] expected)
        {
            await FailoverStoreTests.UntilAsync(() => Seen.Count >= expected.Length, $"saw {string.Join(" ", Seen)}");
            Assert.Equal(expected, Seen);
        }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _task);
        }
    }
}
