namespace Blixard.Cluster.Store;

/// <summary>A key with its value and where it stands in history.</summary>
/// <param name="Key">The key.</param>
/// <param name="Value">The value; it is the caller's to keep and must not be changed.</param>
/// <param name="CreateRevision">The revision that created the key.</param>
/// <param name="ModRevision">The revision that last wrote it.</param>
/// <param name="Version">How often it was written since its creation, from 1.</param>
/// <param name="Lease">The lease that its last put named; 0 = none.</param>
public sealed record StoreEntry(string Key, ReadOnlyMemory<byte> Value, long CreateRevision, long ModRevision, long Version, long Lease = 0);

/// <summary>A lease that was granted.</summary>
/// <param name="Id">Its number, above 0; never given twice.</param>
/// <param name="TimeToLive">How long it lives without being kept: what was asked for, or a little more.</param>
public sealed record StoreLease(long Id, TimeSpan TimeToLive);

/// <summary>Keys as of one revision.</summary>
public sealed record StoreRange(IReadOnlyList<StoreEntry> Entries, long Revision);

/// <summary>A compare-and-swap over several keys.</summary>
/// <param name="Comparisons">All must hold. Empty: the operations are done in any case.</param>
/// <param name="Operations">Done in order if they do; each key at most once.</param>
public sealed record StoreTransaction(IReadOnlyList<StoreComparison> Comparisons, IReadOnlyList<StoreOperation> Operations)
{
    /// <summary>Checks the limits of <see cref="StoreLimits"/>.</summary>
    /// <exception cref="ArgumentException">One is exceeded, or a key is written twice; the message says which.</exception>
    public void Validate()
    {
        if (Comparisons.Count > StoreLimits.TransactionItemsMax || Operations.Count > StoreLimits.TransactionItemsMax)
            throw new ArgumentException($"A transaction has at most {StoreLimits.TransactionItemsMax} comparisons and as many operations.");
        long bytes = 0;
        foreach (StoreComparison comparison in Comparisons)
        {
            bytes += CheckKey(comparison.Key);
            bytes += comparison is StoreComparison.ValueIs value ? value.Value.Length : 0;
        }

        var written = new HashSet<string>(StringComparer.Ordinal);
        foreach (StoreOperation operation in Operations)
        {
            bytes += CheckKey(operation.Key);
            bytes += operation is StoreOperation.Put put ? put.Value.Length : 0;
            if (operation is StoreOperation.Put { Lease: < 0 })
                throw new ArgumentException($"The put of '{operation.Key}' names a lease below 0.");
            if (!written.Add(operation.Key))
                throw new ArgumentException($"The transaction writes '{operation.Key}' twice.");
            if (operation is StoreOperation.Put { Value.Length: > StoreLimits.ValueBytesMax })
                throw new ArgumentException($"The value of '{operation.Key}' exceeds {StoreLimits.ValueBytesMax} bytes.");
        }

        if (bytes > StoreLimits.TransactionBytesMax)
            throw new ArgumentException($"The transaction's keys and values exceed {StoreLimits.TransactionBytesMax} bytes.");
    }

    /// <summary>Checks the length of a key.</summary>
    /// <returns>Its bytes of UTF-8.</returns>
    /// <exception cref="ArgumentException">It is empty or exceeds <see cref="StoreLimits.KeyBytesMax"/>.</exception>
    public static int CheckKey(string key)
    {
        int length = string.IsNullOrEmpty(key) ? 0 : System.Text.Encoding.UTF8.GetByteCount(key);
        return length is > 0 and <= StoreLimits.KeyBytesMax
            ? length
            : throw new ArgumentException($"A key has 1 to {StoreLimits.KeyBytesMax} bytes of UTF-8.", nameof(key));
    }
}

/// <summary>One condition of a transaction.</summary>
public abstract record StoreComparison
{
    private StoreComparison(string key) => Key = key;

    /// <summary>The key that is looked at.</summary>
    public string Key { get; }

    /// <summary>The key must not exist.</summary>
    public sealed record Absent(string AbsentKey) : StoreComparison(AbsentKey);

    /// <summary>The key must exist.</summary>
    public sealed record Present(string PresentKey) : StoreComparison(PresentKey);

    /// <summary>The key must have been written last by this revision.</summary>
    public sealed record ModRevision(string WrittenKey, long Revision) : StoreComparison(WrittenKey);

    /// <summary>The key must exist with exactly this value.</summary>
    public sealed record ValueIs(string ComparedKey, ReadOnlyMemory<byte> Value) : StoreComparison(ComparedKey);
}

/// <summary>One write of a transaction.</summary>
public abstract record StoreOperation
{
    private StoreOperation(string key) => Key = key;

    /// <summary>The key that is written.</summary>
    public string Key { get; }

    /// <summary>Creates or replaces a key. With a lease, the key is deleted when the lease ends; without one (0), it also stays
    /// beyond a lease that an earlier put named.</summary>
    public sealed record Put(string PutKey, ReadOnlyMemory<byte> Value, long Lease = 0) : StoreOperation(PutKey);

    /// <summary>Removes a key; nothing happens if it is absent.</summary>
    public sealed record Delete(string DeletedKey) : StoreOperation(DeletedKey);
}

/// <summary>How a transaction went.</summary>
/// <param name="Succeeded">Whether every comparison held and the operations are done.</param>
/// <param name="Revision">The store's revision after it.</param>
/// <param name="Current">If it did not succeed: the compared keys as they are; absent ones are left out.</param>
public sealed record StoreCommit(bool Succeeded, long Revision, IReadOnlyList<StoreEntry> Current);

/// <summary>The watched changes of one revision, in the order in which its transaction made them.</summary>
public sealed record StoreChanges(long Revision, IReadOnlyList<StoreChange> Changes);

/// <summary>One change.</summary>
/// <param name="Key">The key.</param>
/// <param name="Entry">The key as it is after a put; null if it was removed.</param>
public sealed record StoreChange(string Key, StoreEntry? Entry);
