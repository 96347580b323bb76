using Blixard.Cluster.Store;
using Blixard.Testing.Linearizability;
using Iroh.Cryptography;

namespace Blixard.Testing.Chaos;

/// <summary>
/// Clients that write, swap and read a few registers and append to a sequence, each through a store of its own, and note what was
/// acknowledged. <see cref="StopAsync"/> ends them; <see cref="WorkloadChecks"/> judges what they noted. One owner.
/// </summary>
public sealed class Workload : IAsyncDisposable
{
    private readonly WorkloadClient[] _clients;
    private readonly HistoryRecorder _history;
    private readonly CancellationTokenSource _stopping = new();
    private readonly TimeProvider _time;
    private readonly Task _running;

    private Workload(string prefix, WorkloadClient[] clients, HistoryRecorder history, Acknowledgements acknowledged, ulong seed, TimeProvider time)
    {
        (Prefix, _clients, _history, Acknowledged, Seed, _time) = (prefix, clients, history, acknowledged, seed, time);
        _running = Task.WhenAll(clients.Select(client => Task.Run(() => client.RunAsync(_stopping.Token))));
    }

    /// <summary>What all its keys begin with.</summary>
    public string Prefix { get; }

    /// <summary>The seed of what the clients do.</summary>
    public ulong Seed { get; }

    /// <summary>When writes were acknowledged.</summary>
    public Acknowledgements Acknowledged { get; }

    /// <summary>The time now, on the clock of everything that the workload notes.</summary>
    public TimeSpan Now => _time.GetElapsedTime(0);

    /// <summary>What was done with registers; complete after <see cref="StopAsync"/>.</summary>
    public IReadOnlyList<RegisterOperation> Operations => _history.Operations;

    /// <summary>What was appended; complete after <see cref="StopAsync"/>.</summary>
    public IReadOnlyList<Append> Appends => [.. _clients.SelectMany(client => client.Appends)];

    /// <summary>Lets the clients begin.</summary>
    /// <param name="prefix">What all keys begin with, ending with '/'; nothing may be there.</param>
    /// <param name="stores">One for each client; they stay the caller's.</param>
    /// <param name="options">How the clients behave.</param>
    /// <param name="seed">What they do follows from it.</param>
    /// <param name="time">The clock.</param>
    public static Workload Start(
        string prefix, IReadOnlyList<IClusterStore> stores, WorkloadOptions options, ulong seed, TimeProvider time)
    {
        var history = new HistoryRecorder();
        var acknowledged = new Acknowledgements();
        return new Workload(
            prefix,
            [.. stores.Select((store, i) => new WorkloadClient(i + 1, prefix, store, options, new SeededRandomSource(seed + (ulong)i), history, acknowledged, time))],
            history, acknowledged, seed, time);
    }

    /// <summary>Waits until so many more writes have been acknowledged than now.</summary>
    /// <exception cref="TimeoutException">They were not in time.</exception>
    public async Task UntilAcknowledgedAsync(int more, TimeSpan limit)
    {
        int wanted = Acknowledged.Count + more;
        TimeSpan end = Now + limit;
        while (Acknowledged.Count < wanted)
        {
            if (_running.IsFaulted)
                await _running.ConfigureAwait(false);
            if (Now > end)
                throw new TimeoutException($"writes stood still for more than {limit.TotalSeconds:0} s");
            await Task.Delay(TimeSpan.FromMilliseconds(10), _time).ConfigureAwait(false);
        }
    }

    /// <summary>Ends the clients after the step that each is at.</summary>
    public async Task StopAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stopping.Dispose();
    }
}
