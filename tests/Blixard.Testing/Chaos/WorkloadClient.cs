using System.Globalization;
using System.Text;
using Blixard.Cluster.Store;
using Blixard.Testing.Linearizability;
using Iroh.Cryptography;

namespace Blixard.Testing.Chaos;

/// <summary>One client of a <see cref="Workload"/>: does one step after the other and notes each. Used by one task.</summary>
internal sealed class WorkloadClient(
    int number, string prefix, IClusterStore store, WorkloadOptions options, RandomSource random, HistoryRecorder history,
    Acknowledgements acknowledged, TimeProvider time)
{
    private readonly List<Append> _appends = [];
    private readonly Dictionary<string, string> _seen = new(StringComparer.Ordinal);
    private long _writes;

    /// <summary>What it appended.</summary>
    public IReadOnlyList<Append> Appends => _appends;

    /// <summary>Works until it is cancelled; the step under way is finished.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            string register = $"{prefix}register/{random.NextBelow((ulong)options.Registers)}";
            switch (random.NextBelow(10))
            {
                case < 3:
                    await AppendAsync().ConfigureAwait(false);
                    break;
                case < 6:
                    await ReadAsync(register).ConfigureAwait(false);
                    break;
                case < 8:
                    await WriteAsync(register, new RegisterCall.Write(NextValue()), []).ConfigureAwait(false);
                    break;
                default:
                    await SwapAsync(register).ConfigureAwait(false);
                    break;
            }

            await Task.Delay(options.Rest, time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    // Unique over all clients, so that a read tells whose write it saw.
    private string NextValue() => string.Create(CultureInfo.InvariantCulture, $"{number}-{++_writes:D6}");

    private static byte[] Bytes(string value) => Encoding.ASCII.GetBytes(value);

    private async Task AppendAsync()
    {
        string value = NextValue(), key = $"{prefix}log/{value}";
        Outcome outcome = await TransactAsync(new StoreTransaction([new StoreComparison.Absent(key)], [new StoreOperation.Put(key, Bytes(value))])).ConfigureAwait(false);
        _appends.Add(new Append(key, value, outcome, time.GetElapsedTime(0)));
    }

    private async Task ReadAsync(string register)
    {
        HistoryRecorder.Pending pending = history.Begin(number, register, new RegisterCall.Read());
        using var limit = new CancellationTokenSource(options.StepLimit, time);
        try
        {
            StoreEntry? entry = await store.GetAsync(register, limit.Token).ConfigureAwait(false);
            string? value = entry is null ? null : Encoding.ASCII.GetString(entry.Value.Span);
            pending.End(RegisterAnswer.Of(value));
            if (value is not null)
                _seen[register] = value;
        }
        catch (Exception e) when (e is StoreUnavailableException or OperationCanceledException)
        {
            pending.WasNothing();
        }
    }

    private async Task SwapAsync(string register)
    {
        // Before anything was seen nothing is expected.
        string? expected = _seen.GetValueOrDefault(register);
        var swap = new RegisterCall.Swap(expected, NextValue());
        StoreComparison comparison = expected is null ? new StoreComparison.Absent(register) : new StoreComparison.ValueIs(register, Bytes(expected));
        if (await WriteAsync(register, swap, [comparison]).ConfigureAwait(false) == Outcome.Done)
            _seen[register] = swap.Value;
    }

    private async Task<Outcome> WriteAsync(string register, RegisterCall call, IReadOnlyList<StoreComparison> comparisons)
    {
        string value = call is RegisterCall.Swap swap ? swap.Value : ((RegisterCall.Write)call).Value;
        HistoryRecorder.Pending pending = history.Begin(number, register, call);
        Outcome outcome = await TransactAsync(new StoreTransaction(comparisons, [new StoreOperation.Put(register, Bytes(value))])).ConfigureAwait(false);
        switch (outcome)
        {
            case Outcome.Done:
                pending.End(RegisterAnswer.Done);
                break;
            case Outcome.Refused:
                pending.End(RegisterAnswer.Refused);
                break;
            case Outcome.NotTaken:
                pending.WasNothing();
                break;
        }

        return outcome;
    }

    private async Task<Outcome> TransactAsync(StoreTransaction transaction)
    {
        using var limit = new CancellationTokenSource(options.StepLimit, time);
        try
        {
            if (!(await store.TransactAsync(transaction, limit.Token).ConfigureAwait(false)).Succeeded)
                return Outcome.Refused;
            acknowledged.Add(time.GetElapsedTime(0));
            return Outcome.Done;
        }
        catch (StoreUnavailableException e)
        {
            return e.HadNoEffect ? Outcome.NotTaken : Outcome.Unknown;
        }
        catch (OperationCanceledException)
        {
            return Outcome.Unknown;
        }
    }
}
