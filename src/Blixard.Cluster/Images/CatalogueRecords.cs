using System.Runtime.CompilerServices;
using Blixard.Cluster.Store;
using Blixard.V1;
using Google.Protobuf;

namespace Blixard.Cluster.Images;

/// <summary>The records of catalogues at one moment.</summary>
/// <param name="Own">The own one; null before its first use.</param>
/// <param name="Foreign">Those of others, by name.</param>
public sealed record CatalogueState(CatalogueRecord? Own, IReadOnlyList<ForeignCatalogueRecord> Foreign);

/// <summary>
/// What the cluster store keeps of the catalogue of images: the secret of its document at <c>/catalogue</c>, so that all members find and
/// write the same one, and the tickets of other clusters' catalogues at <c>/catalogues/NAME</c>. Thread-safe.
/// </summary>
public sealed class CatalogueRecords
{
    /// <summary>Where the own catalogue's record is.</summary>
    public const string Key = "/catalogue";

    /// <summary>Where the records of others' catalogues are.</summary>
    public const string ForeignPrefix = "/catalogues/";

    /// <summary>The most catalogues of others: each is a document that every node syncs.</summary>
    public const int ForeignMax = 32;

    /// <summary>The longest name of another's catalogue, in characters.</summary>
    public const int NameLengthMax = 64;

    private readonly IClusterStore _store;

    /// <summary>The records in a store, which stays the caller's.</summary>
    public CatalogueRecords(IClusterStore store) => _store = store;

    /// <summary>The own catalogue's record; null before its first use.</summary>
    public async Task<CatalogueRecord?> GetAsync(CancellationToken cancellationToken = default) =>
        Read(await _store.GetAsync(Key, cancellationToken).ConfigureAwait(false));

    /// <summary>Writes the first record, unless there is one.</summary>
    /// <returns>The record that is there now: this one, or that of whoever was first.</returns>
    public async Task<CatalogueRecord> CreateAsync(CatalogueRecord record, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(record);
        await _store.TransactAsync(
            new StoreTransaction([new StoreComparison.Absent(Key)], [new StoreOperation.Put(Key, record.ToByteArray())]), cancellationToken).ConfigureAwait(false);
        return await GetAsync(cancellationToken).ConfigureAwait(false)
            ?? throw new RecordException(RecordFailure.Conflict, "The catalogue's record was removed in the moment in which it was made. Try again.");
    }

    /// <summary>Whether the catalogue is shared with outsiders at a moment; no if it was written by a later version.</summary>
    public async Task<bool> IsSharedAsync(DateTimeOffset now, CancellationToken cancellationToken = default) =>
        await _store.GetAsync(Key, cancellationToken).ConfigureAwait(false) is { } entry && TryRead(entry, CatalogueRecord.Parser) is { } record && IsShared(record, now);

    /// <summary>The record of a catalogue that is shared from now on. While it is shared already its document stays, and the time is never made
    /// shorter. Otherwise it is a new document: a ticket that has ceased to be good stays so, and a member that went since does not know the secret.</summary>
    /// <param name="known">The present record; kept or changed.</param>
    /// <param name="fresh">One with a new secret and the time until which it is to be shared.</param>
    /// <param name="now">The present time.</param>
    public static CatalogueRecord Share(CatalogueRecord known, CatalogueRecord fresh, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(known);
        ArgumentNullException.ThrowIfNull(fresh);
        if (!IsShared(known, now))
            return fresh.Clone();
        if (known.SharedUntil.ToDateTimeOffset() < fresh.SharedUntil.ToDateTimeOffset())
            known.SharedUntil = fresh.SharedUntil;
        return known;
    }

    /// <summary>Changes the record.</summary>
    /// <param name="change">Makes the new record of the present one; called again if somebody else was faster.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <exception cref="RecordException">NotFound: there is no catalogue yet. Conflict: others change it all the time.</exception>
    public async Task<CatalogueRecord> UpdateAsync(Func<CatalogueRecord, CatalogueRecord> change, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(change);
        // Lost only to another change of the same record; so many in a row is no accident.
        const int AttemptsMax = 16;
        for (int attempt = 0; attempt < AttemptsMax; attempt++)
        {
            StoreEntry? entry = await _store.GetAsync(Key, cancellationToken).ConfigureAwait(false);
            CatalogueRecord record = Read(entry) ?? throw new RecordException(RecordFailure.NotFound, "This cluster has no catalogue of images yet.");
            CatalogueRecord changed = change(record.Clone());
            var transaction = new StoreTransaction(
                [new StoreComparison.ModRevision(Key, entry!.ModRevision)], [new StoreOperation.Put(Key, changed.ToByteArray())]);
            if ((await _store.TransactAsync(transaction, cancellationToken).ConfigureAwait(false)).Succeeded)
                return changed;
        }

        throw new RecordException(RecordFailure.Conflict, "The catalogue's record is changed by others all the time. Try again.");
    }

    /// <summary>The catalogues of others, by name.</summary>
    public async Task<IReadOnlyList<ForeignCatalogueRecord>> ListForeignAsync(CancellationToken cancellationToken = default) =>
        [.. (await _store.RangeAsync(ForeignPrefix, cancellationToken).ConfigureAwait(false)).Entries
            .Select(static entry => TryRead(entry, ForeignCatalogueRecord.Parser)).OfType<ForeignCatalogueRecord>()];

    /// <summary>Adds another's catalogue, or gives a known one a new ticket.</summary>
    /// <exception cref="RecordException">Invalid: the name. Conflict: there are <see cref="ForeignMax"/> already.</exception>
    public async Task SetForeignAsync(ForeignCatalogueRecord record, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(record);
        CheckName(record.Name);
        IReadOnlyList<ForeignCatalogueRecord> known = await ListForeignAsync(cancellationToken).ConfigureAwait(false);
        if (known.Count >= ForeignMax && known.All(other => other.Name != record.Name))
            throw new RecordException(RecordFailure.Conflict, $"There are {ForeignMax} catalogues of others already. Remove one first.");
        await _store.TransactAsync(
            new StoreTransaction([], [new StoreOperation.Put(ForeignPrefix + record.Name, record.ToByteArray())]), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Removes another's catalogue.</summary>
    /// <exception cref="RecordException">NotFound; Invalid: the name.</exception>
    public async Task RemoveForeignAsync(string name, CancellationToken cancellationToken = default)
    {
        CheckName(name);
        StoreCommit commit = await _store.TransactAsync(
            new StoreTransaction([new StoreComparison.Present(ForeignPrefix + name)], [new StoreOperation.Delete(ForeignPrefix + name)]), cancellationToken)
            .ConfigureAwait(false);
        if (!commit.Succeeded)
            throw new RecordException(RecordFailure.NotFound, $"There is no catalogue '{name}' of others here.");
    }

    /// <summary>Follows both: a step at once, and one whenever a record is new, changed or gone. Ends with the enumeration or the token.</summary>
    /// <param name="time">The clock of the delays before a store that cannot answer is asked again.</param>
    /// <param name="cancellationToken">Ends it with <see cref="OperationCanceledException"/>.</param>
    public async IAsyncEnumerable<CatalogueState> FollowAsync(TimeProvider time, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        CatalogueRecord? own = null;
        var foreign = new SortedDictionary<string, ForeignCatalogueRecord>(StringComparer.Ordinal);
        await foreach (PrefixUpdate update in _store.FollowAsync(Key, time, cancellationToken).ConfigureAwait(false))
        {
            foreach (StoreChange change in update.Changes)
            {
                if (change.Key == Key)
                    own = change.Entry is { } entry ? TryRead(entry, CatalogueRecord.Parser) : null;
                else if (change.Key.StartsWith(ForeignPrefix, StringComparison.Ordinal))
                {
                    foreign.Remove(change.Key);
                    if (change.Entry is { } other && TryRead(other, ForeignCatalogueRecord.Parser) is { } record)
                        foreign.Add(change.Key, record);
                }
            }

            yield return new CatalogueState(own, [.. foreign.Values]);
        }
    }

    private static bool IsShared(CatalogueRecord record, DateTimeOffset now) => record.SharedUntil?.ToDateTimeOffset() is { } until && until > now;

    // What cannot be read is of a later version, or of nobody.
    private static T? TryRead<T>(StoreEntry entry, MessageParser<T> parser)
        where T : class, IMessage<T>
    {
        try
        {
            return parser.ParseFrom(entry.Value.Span);
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }
    }

    private static CatalogueRecord? Read(StoreEntry? entry)
    {
        try
        {
            return entry is null ? null : CatalogueRecord.Parser.ParseFrom(entry.Value.Span);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new RecordException(RecordFailure.Invalid, $"The record at {Key} cannot be read: {e.Message}");
        }
    }

    private static void CheckName(string name)
    {
        if (name.Length is 0 or > NameLengthMax || !name.All(static c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '.' or '_' or '-'))
            throw new RecordException(RecordFailure.Invalid, $"A catalogue's name has 1 to {NameLengthMax} characters of a-z, 0-9, '.', '_' and '-'.");
    }
}
