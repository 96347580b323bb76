using System.Globalization;
using System.Text;
using Blixard.Cluster.Store;
using Iroh.Cryptography;

namespace Blixard.Testing.Chaos;

/// <summary>
/// Clients that write, swap and read a few registers and append to a sequence, each through a store of its own, and note what was
/// acknowledged. <see cref="StopAsync"/> ends them; <see cref="WorkloadChecks"/> judges what they noted. One owner.
/// </summary>
public sealed class Workload : IAsyncDisposable
{
    private readonly WorkloadClient[] _clients;
    private readonly CancellationTokenSource _stopping = new();
    private readonly TimeProvider _time;
    private readonly Task _running;

    private Workload(string prefix, WorkloadClient[] clients, Acknowledgements acknowledged, ulong seed, TimeProvider time)
    {
        (Prefix, _clients, Acknowledged, Seed, _time) = (prefix, clients, acknowledged, seed, time);
        _running = Task.WhenAll(clients.Select(client => Task.Run(() => client.RunAsync(_stopping.Token))));
    }

    /// <summary>What all its keys begin with.</summary>
    public string Prefix { get; }

    /// <summary>The seed of what the clients do.</summary>
    public ulong Seed { get; }

    /// <summary>When writes were acknowledged.</summary>
    public Acknowledgements Acknowledged { get; }

    /// <summary>The time now, on the clock of everything that the workload notes.</summary>
    public TimeSpan Now => _time.GetElapsedTime(0, _time.GetTimestamp());

    /// <summary>What was done with registers; complete after <see cref="StopAsync"/>.</summary>
    public IReadOnlyList<RegisterStep> Steps => [.. _clients.SelectMany(client => client.Steps)];

    /// <summary>What was appended; complete after <see cref="StopAsync"/>.</summary>
    public IReadOnlyList<Append> Appends => [.. _clients.SelectMany(client => client.Appends)];

    /// <summary>Writes the registers' first values and lets the clients begin.</summary>
    /// <param name="prefix">What all keys begin with, ending with '/'; nothing may be there.</param>
    /// <param name="stores">One for each client; they stay the caller's.</param>
    /// <param name="options">How the clients behave.</param>
    /// <param name="seed">What they do follows from it.</param>
    /// <param name="time">The clock.</param>
    public static async Task<Workload> StartAsync(
        string prefix, IReadOnlyList<IClusterStore> stores, WorkloadOptions options, ulong seed, TimeProvider time)
    {
        for (int register = 0; register < options.Registers; register++)
        {
            await stores[0].TransactAsync(new StoreTransaction(
                [],
                [new StoreOperation.Put(string.Create(CultureInfo.InvariantCulture, $"{prefix}register/{register}"), Encoding.ASCII.GetBytes("0"))])).ConfigureAwait(false);
        }

        var acknowledged = new Acknowledgements();
        return new Workload(
            prefix,
            [.. stores.Select((store, i) => new WorkloadClient(i + 1, prefix, store, options, new SeededRandomSource(seed + (ulong)i), acknowledged, time))],
            acknowledged, seed, time);
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
