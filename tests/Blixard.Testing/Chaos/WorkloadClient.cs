using System.Globalization;
using System.Text;
using Blixard.Cluster.Store;
using Iroh.Cryptography;

namespace Blixard.Testing.Chaos;

/// <summary>One client of a <see cref="Workload"/>: does one step after the other and notes each. Used by one task.</summary>
internal sealed class WorkloadClient(
    int number, string prefix, IClusterStore store, WorkloadOptions options, RandomSource random, Acknowledgements acknowledged, TimeProvider time)
{
    private readonly List<RegisterStep> _steps = [];
    private readonly List<Append> _appends = [];
    private readonly Dictionary<string, long> _seen = new(StringComparer.Ordinal);
    private long _writes;

    /// <summary>What it did with registers.</summary>
    public IReadOnlyList<RegisterStep> Steps => _steps;

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
                    await WriteAsync(register).ConfigureAwait(false);
                    break;
                default:
                    await SwapAsync(register).ConfigureAwait(false);
                    break;
            }

            await Task.Delay(options.Rest, time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    // Unique over all clients, so that a read tells whose write it saw.
    private long NextValue() => (number * 1_000_000L) + ++_writes;

    private TimeSpan Now => time.GetElapsedTime(0, time.GetTimestamp());

    private static byte[] Bytes(long value) => Encoding.ASCII.GetBytes(value.ToString(CultureInfo.InvariantCulture));

    private async Task AppendAsync()
    {
        long value = NextValue();
        string key = string.Create(CultureInfo.InvariantCulture, $"{prefix}log/{value:D12}"), text = value.ToString(CultureInfo.InvariantCulture);
        Outcome outcome = await TransactAsync(new StoreTransaction([new StoreComparison.Absent(key)], [new StoreOperation.Put(key, Bytes(value))])).ConfigureAwait(false);
        _appends.Add(new Append(key, text, outcome, Now));
    }

    private async Task ReadAsync(string register)
    {
        TimeSpan invoked = Now;
        using var limit = new CancellationTokenSource(options.StepLimit, time);
        try
        {
            StoreEntry? entry = await store.GetAsync(register, limit.Token).ConfigureAwait(false);
            long value = entry is null ? 0 : long.Parse(entry.Value.Span, CultureInfo.InvariantCulture);
            _seen[register] = value;
            _steps.Add(new RegisterStep(number, register, RegisterAction.Read, value, 0, Outcome.Done, invoked, Now));
        }
        catch (Exception e) when (e is StoreUnavailableException or OperationCanceledException)
        {
            // A read that was not answered says nothing about the register.
        }
    }

    private async Task WriteAsync(string register)
    {
        long value = NextValue();
        TimeSpan invoked = Now;
        Outcome outcome = await TransactAsync(new StoreTransaction([], [new StoreOperation.Put(register, Bytes(value))])).ConfigureAwait(false);
        _steps.Add(new RegisterStep(number, register, RegisterAction.Write, value, 0, outcome, invoked, Now));
    }

    private async Task SwapAsync(string register)
    {
        long value = NextValue(), expected = _seen.GetValueOrDefault(register);
        TimeSpan invoked = Now;
        Outcome outcome = await TransactAsync(new StoreTransaction(
            [new StoreComparison.ValueIs(register, Bytes(expected))], [new StoreOperation.Put(register, Bytes(value))])).ConfigureAwait(false);
        if (outcome == Outcome.Done)
            _seen[register] = value;
        _steps.Add(new RegisterStep(number, register, RegisterAction.CompareAndSwap, value, expected, outcome, invoked, Now));
    }

    private async Task<Outcome> TransactAsync(StoreTransaction transaction)
    {
        using var limit = new CancellationTokenSource(options.StepLimit, time);
        try
        {
            if (!(await store.TransactAsync(transaction, limit.Token).ConfigureAwait(false)).Succeeded)
                return Outcome.Refused;
            acknowledged.Add(Now);
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
