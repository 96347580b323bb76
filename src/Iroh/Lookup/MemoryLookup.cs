using System.Runtime.CompilerServices;
using Iroh.Base;
using Iroh.Dns;

namespace Iroh.Lookup;

/// <summary>Addresses that the application knows: from tickets, a configuration or another protocol.</summary>
public sealed class MemoryLookup : IAddressLookup
{
    private readonly Lock _lock = new();
    private readonly Dictionary<EndpointId, (EndpointRecord Record, DateTimeOffset UpdatedAt)> _records = [];
    private readonly TimeProvider _time;

    /// <summary>Starts empty.</summary>
    /// <param name="time">Stamps what is added; null for the system's clock.</param>
    /// <param name="name">The provenance of what it gives. Default: that of iroh.</param>
    public MemoryLookup(TimeProvider? time = null, string name = "memory_lookup")
    {
        _time = time ?? TimeProvider.System;
        Name = name;
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <summary>Replaces what is known of the record's endpoint.</summary>
    /// <returns>What was known before; null if nothing was.</returns>
    public EndpointRecord? Set(EndpointRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        lock (_lock)
        {
            EndpointRecord? before = _records.TryGetValue(record.Id, out var known) ? known.Record : null;
            _records[record.Id] = (record, _time.GetUtcNow());
            return before;
        }
    }

    /// <summary>Adds the record's addresses to those known; its user data, if it has any, replaces the known one.</summary>
    public void Add(EndpointRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        lock (_lock)
        {
            EndpointRecord merged = _records.TryGetValue(record.Id, out var known)
                ? new EndpointRecord(
                    new EndpointAddress(record.Id, known.Record.Address.Addresses.Union(record.Address.Addresses)),
                    record.UserData ?? known.Record.UserData)
                : record;
            _records[record.Id] = (merged, _time.GetUtcNow());
        }
    }

    /// <summary>Adds the addresses to those known.</summary>
    public void Add(EndpointAddress address) => Add(new EndpointRecord(address));

    /// <summary>What is known of an endpoint; null if nothing is.</summary>
    public EndpointRecord? Get(EndpointId id)
    {
        lock (_lock)
            return _records.TryGetValue(id, out var known) ? known.Record : null;
    }

    /// <summary>Forgets an endpoint.</summary>
    /// <returns>What was known; null if nothing was.</returns>
    public EndpointRecord? Remove(EndpointId id)
    {
        lock (_lock)
            return _records.Remove(id, out var known) ? known.Record : null;
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<LookupResult> ResolveAsync(
        EndpointId id, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await Task.CompletedTask.ConfigureAwait(false);
        LookupResult? result;
        lock (_lock)
        {
            result = _records.TryGetValue(id, out var known)
                ? new LookupResult(known.Record.Address, Name, known.UpdatedAt, known.Record.UserData)
                : null;
        }

        if (result is not null)
            yield return result;
    }
}
