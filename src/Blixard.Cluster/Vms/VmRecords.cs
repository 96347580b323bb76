using System.Runtime.CompilerServices;
using Blixard.Cluster.Liveness;
using Blixard.Cluster.Membership;
using Blixard.Cluster.Store;
using Blixard.V1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Iroh.Base;

namespace Blixard.Cluster.Vms;

/// <summary>
/// The VMs of a cluster: what users want at <c>/vms/&lt;name&gt;/spec</c>, what the owning node reports at
/// <c>/vms/&lt;name&gt;/status</c>. The two have different writers and never overwrite each other. Thread-safe.
/// </summary>
public sealed class VmRecords
{
    /// <summary>Where the records are.</summary>
    public const string Prefix = "/vms/";

    private const string SpecSuffix = "/spec";
    private const string StatusSuffix = "/status";

    // Lost only to another change of the same VM; so many in a row is no accident.
    private const int AttemptsMax = 32;

    private static readonly TimeSpan s_graceMax = TimeSpan.FromMinutes(10);

    private readonly IClusterStore _store;
    private readonly TimeProvider _time;

    /// <summary>The VMs in a store.</summary>
    /// <param name="store">Stays the caller's.</param>
    /// <param name="time">The clock for times in records.</param>
    public VmRecords(IClusterStore store, TimeProvider time) => (_store, _time) = (store, time);

    /// <summary>Records a new VM that <paramref name="node"/> shall run.</summary>
    /// <param name="spec">What is wanted; its name counts, the rest is the caller's to check.</param>
    /// <param name="node">The owner's name, as placement chose it.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <exception cref="RecordException">AlreadyExists; Invalid: the name.</exception>
    public async Task<VmRecord> CreateAsync(VmSpec spec, string node, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentException.ThrowIfNullOrEmpty(node);
        if (!NodeRules.IsName(spec.Name))
            throw new RecordException(RecordFailure.Invalid, "A VM's name has 1 to 63 characters of a-z, 0-9 and '-', with a letter or digit at both ends.");
        StoreRange before = await _store.RangeAsync(KeyOf(spec.Name, "/"), cancellationToken).ConfigureAwait(false);
        var intent = new VmIntent
        {
            Spec = spec.Clone(),
            Node = node,
            // Above every epoch that this name ever had, as the store's revision only grows.
            Epoch = (ulong)before.Revision + 1,
            CreatedAt = Timestamp.FromDateTimeOffset(_time.GetUtcNow()),
        };
        string key = KeyOf(spec.Name, SpecSuffix);
        StoreCommit commit = await _store.TransactAsync(
            new StoreTransaction(
                [new StoreComparison.Absent(key)],
                [new StoreOperation.Put(key, intent.ToByteArray()), new StoreOperation.Delete(KeyOf(spec.Name, StatusSuffix))]),
            cancellationToken).ConfigureAwait(false);
        return commit.Succeeded
            ? Join(intent, null, commit.Revision)
            : throw new RecordException(RecordFailure.AlreadyExists, $"There is a VM called {spec.Name} already.");
    }

    /// <summary>One VM, null if there is none.</summary>
    public async Task<VmRecord?> TryGetAsync(string name, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (!NodeRules.IsName(name))
            return null;
        StoreRange range = await _store.RangeAsync(KeyOf(name, "/"), cancellationToken).ConfigureAwait(false);
        return Join(range.Entries).FirstOrDefault();
    }

    /// <summary>One VM.</summary>
    /// <exception cref="RecordException">NotFound.</exception>
    public async Task<VmRecord> GetAsync(string name, CancellationToken cancellationToken = default) =>
        await TryGetAsync(name, cancellationToken).ConfigureAwait(false) ?? throw NotFound(name);

    /// <summary>All VMs, by name.</summary>
    public async Task<IReadOnlyList<VmRecord>> ListAsync(CancellationToken cancellationToken = default) =>
        Join((await _store.RangeAsync(Prefix, cancellationToken).ConfigureAwait(false)).Entries);

    /// <summary>All VMs as the nearest replica of the store has them, which may be stale.</summary>
    public async Task<IReadOnlyList<VmRecord>> ListReplicaAsync(CancellationToken cancellationToken = default) =>
        Join((await _store.Replica.RangeAsync(Prefix, cancellationToken).ConfigureAwait(false)).Entries);

    /// <summary>Sets whether a VM should run. That it should counts as a request to start it, if it has ended by itself.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="desired">What is wanted now.</param>
    /// <param name="grace">For a stop: how long the guest may take to power off, 0 to 10 minutes; null = the node's default.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <exception cref="RecordException">NotFound; Invalid: the grace; Conflict: others kept changing it.</exception>
    public async Task<VmRecord> SetDesiredAsync(
        string name, DesiredState desired, TimeSpan? grace = null, CancellationToken cancellationToken = default)
    {
        if (grace < TimeSpan.Zero || grace > s_graceMax)
            throw new RecordException(RecordFailure.Invalid, "A guest gets 0 seconds to 10 minutes to power off.");
        for (int attempt = 0; attempt < AttemptsMax; attempt++)
        {
            (StoreEntry entry, VmIntent intent) = await ReadIntentAsync(name, cancellationToken).ConfigureAwait(false);
            VmIntent changed = intent.Clone();
            changed.Spec.Desired = desired;
            if (desired == DesiredState.Running)
                changed.Starts++;
            changed.Grace = grace is { } limit ? Duration.FromTimeSpan(limit) : null;
            if (changed.Equals(intent) || await TryPutAsync(entry, changed, cancellationToken).ConfigureAwait(false))
                return await GetAsync(name, cancellationToken).ConfigureAwait(false);
        }

        throw Busy(name);
    }

    /// <summary>Removes a VM's records; its owner then removes the VM.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="force">Although its owner last reported that it runs.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <exception cref="RecordException">NotFound; Conflict: it runs, or others kept changing it.</exception>
    public async Task RemoveAsync(string name, bool force, CancellationToken cancellationToken = default)
    {
        for (int attempt = 0; attempt < AttemptsMax; attempt++)
        {
            (StoreEntry entry, VmIntent _) = await ReadIntentAsync(name, cancellationToken).ConfigureAwait(false);
            VmRecord? record = await TryGetAsync(name, cancellationToken).ConfigureAwait(false);
            if (!force && record?.Status.State is VmState.Starting or VmState.Running or VmState.Stopping)
                throw new RecordException(RecordFailure.Conflict, $"The VM {name} runs. Stop it first, or remove it by force.");
            StoreCommit commit = await _store.TransactAsync(
                new StoreTransaction(
                    [new StoreComparison.ModRevision(entry.Key, entry.ModRevision)],
                    [new StoreOperation.Delete(entry.Key), new StoreOperation.Delete(KeyOf(name, StatusSuffix))]),
                cancellationToken).ConfigureAwait(false);
            if (commit.Succeeded)
                return;
        }

        throw Busy(name);
    }

    /// <summary>Records what the owning node found. Nothing is written if nothing changed.</summary>
    /// <param name="name">The VM's name.</param>
    /// <param name="status">The fact; its epoch is that of the intent which the node acted on, its node the reporting one.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <exception cref="RecordException">NotFound: it was removed. Conflict: the epoch or the node is not, or no longer, the owner's.</exception>
    public async Task ReportAsync(string name, VmStatus status, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(status);
        for (int attempt = 0; attempt < AttemptsMax; attempt++)
        {
            (StoreEntry entry, VmIntent intent) = await ReadIntentAsync(name, cancellationToken).ConfigureAwait(false);
            if (status.Epoch != intent.Epoch || status.Node != intent.Node)
            {
                throw new RecordException(
                    RecordFailure.Conflict,
                    $"The report of {status.Node} about the VM {name} (epoch {status.Epoch}) is out of date: {intent.Node} owns it in epoch {intent.Epoch}.");
            }

            string key = KeyOf(name, StatusSuffix);
            if (await _store.GetAsync(key, cancellationToken).ConfigureAwait(false) is { } before
                && RecordReader.TryRead(VmStatus.Parser, before, out VmStatus? known) && known.Equals(status))
                return;
            // The intent must still be the one that was looked at: a later owner's word is not overwritten.
            StoreCommit commit = await _store.TransactAsync(
                new StoreTransaction(
                    [new StoreComparison.ModRevision(entry.Key, entry.ModRevision)], [new StoreOperation.Put(key, status.ToByteArray())]),
                cancellationToken).ConfigureAwait(false);
            if (commit.Succeeded)
                return;
        }

        throw Busy(name);
    }

    /// <summary>Whether the store, asked now, says that a node owns a VM in an epoch. A start of a VM that may move asks it first.</summary>
    public async Task<bool> IsOwnerAsync(string name, string node, ulong epoch, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(name);
        return await _store.GetAsync(KeyOf(name, SpecSuffix), cancellationToken).ConfigureAwait(false) is { } entry
            && TryReadIntent(entry) is { } intent && intent.Node == node && intent.Epoch == epoch;
    }

    /// <summary>
    /// Gives a VM of a lost node to another, in its next epoch. One transaction with the conditions that make it safe: the VM is still as it
    /// was looked at, the lost node's alive key is absent, so its lease has ended and it has stopped the VM before, and the other one's is there.
    /// </summary>
    /// <param name="name">The VM.</param>
    /// <param name="epoch">The epoch in which it was looked at.</param>
    /// <param name="from">The lost node that owns it.</param>
    /// <param name="to">The name and id of the node that gets it.</param>
    /// <param name="reason">Why, for people.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <returns>False if one of the conditions does not hold; nothing has changed.</returns>
    public async Task<bool> MoveAsync(
        string name, ulong epoch, EndpointId from, (string Name, EndpointId Id) to, string reason, CancellationToken cancellationToken = default)
    {
        (StoreEntry entry, VmIntent intent) = await ReadIntentAsync(name, cancellationToken).ConfigureAwait(false);
        if (intent.Epoch != epoch || intent.Spec.Desired == DesiredState.Stopped || intent.Spec.OnNodeLoss != NodeLossPolicy.Elsewhere)
            return false;
        VmIntent moved = intent.Clone();
        moved.Node = to.Name;
        moved.Epoch++;
        moved.MovedFrom = intent.Node;
        moved.MovedReason = reason;
        moved.MovedAt = Timestamp.FromDateTimeOffset(_time.GetUtcNow());
        StoreCommit commit = await _store.TransactAsync(
            new StoreTransaction(
                [
                    new StoreComparison.ModRevision(entry.Key, entry.ModRevision),
                    new StoreComparison.Absent(LivenessRecords.AliveKey(from)),
                    new StoreComparison.Present(LivenessRecords.AliveKey(to.Id)),
                ],
                [new StoreOperation.Put(entry.Key, moved.ToByteArray()), new StoreOperation.Delete(KeyOf(name, StatusSuffix))]),
            cancellationToken).ConfigureAwait(false);
        return commit.Succeeded;
    }

    /// <summary>
    /// The VMs that a node owns, by name: all of them at once and again whenever one of them was added, changed or removed.
    /// Without end; waits out a store that cannot answer.
    /// </summary>
    public async IAsyncEnumerable<IReadOnlyList<VmIntent>> WatchOwnedAsync(
        string node, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var owned = new SortedDictionary<string, VmIntent>(StringComparer.Ordinal);
        await foreach (PrefixUpdate update in _store.FollowAsync(Prefix, _time, cancellationToken).ConfigureAwait(false))
        {
            bool isChanged = update.IsSnapshot;
            foreach (StoreChange change in update.Changes)
            {
                if (!change.Key.EndsWith(SpecSuffix, StringComparison.Ordinal))
                    continue;
                if (change.Entry is { } entry && TryReadIntent(entry) is { } intent && intent.Node == node)
                {
                    owned[change.Key] = intent;
                    isChanged = true;
                }
                else
                {
                    isChanged |= owned.Remove(change.Key);
                }
            }

            if (isChanged)
                yield return [.. owned.Values];
        }
    }

    private static string KeyOf(string name, string suffix) => $"{Prefix}{name}{suffix}";

    private static VmIntent? TryReadIntent(StoreEntry entry) =>
        RecordReader.TryRead(VmIntent.Parser, entry, out VmIntent? intent) && intent.Spec is not null ? intent : null;

    private static RecordException NotFound(string name) => new(RecordFailure.NotFound, $"There is no VM called '{name}'.");

    private static RecordException Busy(string name) =>
        new(RecordFailure.Conflict, $"Others changed the VM {name} again and again. Try again.");

    private static List<VmRecord> Join(IReadOnlyList<StoreEntry> entries)
    {
        var statuses = entries.Where(entry => entry.Key.EndsWith(StatusSuffix, StringComparison.Ordinal))
            .ToDictionary(entry => entry.Key, StringComparer.Ordinal);
        var records = new List<VmRecord>();
        foreach (StoreEntry entry in entries.Where(entry => entry.Key.EndsWith(SpecSuffix, StringComparison.Ordinal)))
        {
            if (TryReadIntent(entry) is { } intent)
                records.Add(Join(intent, statuses.GetValueOrDefault(KeyOf(intent.Spec.Name, StatusSuffix)), entry.ModRevision));
        }

        return [.. records.OrderBy(record => record.Spec.Name, StringComparer.Ordinal)];
    }

    private static VmRecord Join(VmIntent intent, StoreEntry? status, long revision)
    {
        // A status of an older epoch is about another VM, or another owner's.
        VmStatus fact = status is not null && RecordReader.TryRead(VmStatus.Parser, status, out VmStatus? read) && read.Epoch == intent.Epoch
            ? read
            : new VmStatus
            {
                State = VmState.Created,
                Reason = intent.MovedReason,
                Node = intent.Node,
                Epoch = intent.Epoch,
                Since = intent.MovedAt ?? intent.CreatedAt,
            };
        return new VmRecord
        {
            Spec = intent.Spec,
            Status = fact,
            CreatedAt = intent.CreatedAt,
            MovedFrom = intent.MovedFrom,
            MovedReason = intent.MovedReason,
            MovedAt = intent.MovedAt,
            Revision = Math.Max(revision, status?.ModRevision ?? 0),
        };
    }

    private async Task<(StoreEntry Entry, VmIntent Intent)> ReadIntentAsync(string name, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(name);
        StoreEntry? entry = NodeRules.IsName(name)
            ? await _store.GetAsync(KeyOf(name, SpecSuffix), cancellationToken).ConfigureAwait(false)
            : null;
        return entry is not null && TryReadIntent(entry) is { } intent ? (entry, intent) : throw NotFound(name);
    }

    private async Task<bool> TryPutAsync(StoreEntry entry, VmIntent intent, CancellationToken cancellationToken)
    {
        StoreCommit commit = await _store.TransactAsync(
            new StoreTransaction(
                [new StoreComparison.ModRevision(entry.Key, entry.ModRevision)], [new StoreOperation.Put(entry.Key, intent.ToByteArray())]),
            cancellationToken).ConfigureAwait(false);
        return commit.Succeeded;
    }
}
