using System.Runtime.CompilerServices;
using Blixard.Cluster.Store;
using Blixard.V1;
using Google.Protobuf;

namespace Blixard.Cluster.Images;

/// <summary>
/// The catalogue of a cluster's images: the record at <c>/images/&lt;name&gt;:&lt;tag&gt;</c> and beside it one key
/// <c>…/nodes/&lt;node&gt;</c> for each node that holds all of the image, so that nodes never write the same key; its value is the
/// image's hash, so that it means nothing for other content under the same name. Thread-safe.
/// </summary>
public sealed class ImageRecords
{
    /// <summary>Where the records are.</summary>
    public const string Prefix = "/images/";

    private const string NodesPart = "/nodes/";
    private const string DefaultTag = "latest";
    private const int PartLengthMax = 128;

    // Lost only to another change of the same image; so many in a row is no accident.
    private const int AttemptsMax = 32;

    private readonly IClusterStore _store;

    /// <summary>The images in a store, which stays the caller's.</summary>
    public ImageRecords(IClusterStore store) => _store = store;

    /// <summary>The full form of what a user writes: "name" means "name:latest".</summary>
    /// <exception cref="RecordException">Invalid: it is no image's name.</exception>
    public static string Normalize(string reference)
    {
        ArgumentNullException.ThrowIfNull(reference);
        int colon = reference.IndexOf(':', StringComparison.Ordinal);
        string name = colon < 0 ? reference : reference[..colon], tag = colon < 0 ? DefaultTag : reference[(colon + 1)..];
        bool isName = name.Length is > 0 and <= PartLengthMax
            && name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '.' or '_' or '-' or '/');
        bool isTag = tag.Length is > 0 and <= PartLengthMax && tag.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-');
        return isName && isTag
            ? $"{name}:{tag}"
            : throw new RecordException(
                RecordFailure.Invalid, $"'{(reference.Length <= 300 ? reference : reference[..300])}' is no image: expected name:tag, the name of a-z, 0-9, '.', '_', '-', '/', the tag of letters, digits, '.', '_', '-'.");
    }

    /// <summary>Puts an image into the catalogue, held by the node that added it. Adding the same content again adds the node.</summary>
    /// <param name="record">The image with its parts; its list of nodes is not used.</param>
    /// <param name="node">The name of the node that holds it.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <exception cref="RecordException">AlreadyExists: the name and tag stand for other content. Invalid: name or tag.</exception>
    public async Task<ImageRecord> AddAsync(ImageRecord record, string node, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(record);
        string reference = Normalize($"{record.Name}:{record.Tag}");
        ImageRecord stored = record.Clone();
        stored.Nodes.Clear();
        for (int attempt = 0; attempt < AttemptsMax; attempt++)
        {
            StoreEntry? before = await _store.GetAsync(Prefix + reference, cancellationToken).ConfigureAwait(false);
            if (before is not null && TryRead(before) is { } known && known.Hash != record.Hash)
                throw new RecordException(RecordFailure.AlreadyExists, $"The image {reference} exists with other content. Choose another tag, or remove it first.");
            if (before is not null && TryRead(before) is { } same)
            {
                // What it was first added with stays; the wish is the last one's.
                (uint copies, stored) = (record.Copies, same);
                stored.Copies = copies > 0 ? copies : same.Copies;
            }

            StoreTransaction transaction = before is null
                ? new(
                    [new StoreComparison.Absent(Prefix + reference)],
                    [new StoreOperation.Put(Prefix + reference, stored.ToByteArray()), PutHolder(reference, node, record.Hash)])
                : new(
                    [new StoreComparison.ModRevision(before.Key, before.ModRevision)],
                    [new StoreOperation.Put(Prefix + reference, stored.ToByteArray()), PutHolder(reference, node, record.Hash)]);
            if ((await _store.TransactAsync(transaction, cancellationToken).ConfigureAwait(false)).Succeeded)
                return await GetAsync(reference, cancellationToken).ConfigureAwait(false);
        }

        throw Busy(reference);
    }

    /// <summary>One image with its parts and nodes.</summary>
    /// <param name="reference">"name:tag" or "name".</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <exception cref="RecordException">NotFound; Invalid.</exception>
    public async Task<ImageRecord> GetAsync(string reference, CancellationToken cancellationToken = default)
    {
        string full = Normalize(reference);
        // The prefix also finds longer tags; they are left out.
        StoreRange range = await _store.RangeAsync(Prefix + full, cancellationToken).ConfigureAwait(false);
        return Join(range.Entries).FirstOrDefault(image => $"{image.Name}:{image.Tag}" == full) ?? throw NotFound(full);
    }

    /// <summary>All images with their parts and nodes, by name and tag.</summary>
    public async Task<IReadOnlyList<ImageRecord>> ListAsync(CancellationToken cancellationToken = default) =>
        Join((await _store.RangeAsync(Prefix, cancellationToken).ConfigureAwait(false)).Entries);

    /// <summary>All images as the nearest replica of the store has them, which may be stale.</summary>
    public async Task<IReadOnlyList<ImageRecord>> ListReplicaAsync(CancellationToken cancellationToken = default) =>
        Join((await _store.Replica.RangeAsync(Prefix, cancellationToken).ConfigureAwait(false)).Entries);

    /// <summary>Follows the catalogue: all images at once, and again whenever one is new, changed, gone, or held by others. Ends with the
    /// enumeration or the token.</summary>
    /// <param name="time">The clock of the delays before a store that cannot answer is asked again.</param>
    /// <param name="cancellationToken">Ends it with <see cref="OperationCanceledException"/>.</param>
    public async IAsyncEnumerable<IReadOnlyList<ImageRecord>> FollowAsync(
        TimeProvider time, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var entries = new SortedDictionary<string, StoreEntry>(StringComparer.Ordinal);
        await foreach (PrefixUpdate update in _store.FollowAsync(Prefix, time, cancellationToken).ConfigureAwait(false))
        {
            foreach (StoreChange change in update.Changes)
            {
                entries.Remove(change.Key);
                if (change.Entry is { } entry)
                    entries.Add(change.Key, entry);
            }

            yield return Join([.. entries.Values]);
        }
    }

    /// <summary>Notes that a node holds all of an image.</summary>
    /// <param name="reference">"name:tag" or "name".</param>
    /// <param name="hash">The image's hash: the name must still stand for it.</param>
    /// <param name="node">The node's name.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <exception cref="RecordException">NotFound; Conflict: the name stands for other content now.</exception>
    public async Task AddHolderAsync(string reference, ReadOnlyMemory<byte> hash, string node, CancellationToken cancellationToken = default)
    {
        string full = Normalize(reference);
        for (int attempt = 0; attempt < AttemptsMax; attempt++)
        {
            StoreEntry entry = await _store.GetAsync(Prefix + full, cancellationToken).ConfigureAwait(false) ?? throw NotFound(full);
            if (TryRead(entry) is not { } record || !record.Hash.Span.SequenceEqual(hash.Span))
                throw new RecordException(RecordFailure.Conflict, $"The image {full} has other content now.");
            if (await _store.GetAsync(HolderKey(full, node), cancellationToken).ConfigureAwait(false) is { } held
                && held.Value.Span.SequenceEqual(hash.Span))
                return;
            var transaction = new StoreTransaction([new StoreComparison.ModRevision(entry.Key, entry.ModRevision)], [PutHolder(full, node, record.Hash)]);
            if ((await _store.TransactAsync(transaction, cancellationToken).ConfigureAwait(false)).Succeeded)
                return;
        }

        throw Busy(full);
    }

    /// <summary>Notes that a node no longer holds an image. Without effect if it was not noted.</summary>
    public async Task RemoveHolderAsync(string reference, string node, CancellationToken cancellationToken = default) =>
        await _store.TransactAsync(
            new StoreTransaction([], [new StoreOperation.Delete(HolderKey(Normalize(reference), node))]), cancellationToken).ConfigureAwait(false);

    /// <summary>Notes that a node holds no image any more, as it left.</summary>
    public async Task RemoveHolderEverywhereAsync(string node, CancellationToken cancellationToken = default)
    {
        StoreRange range = await _store.RangeAsync(Prefix, cancellationToken).ConfigureAwait(false);
        IEnumerable<StoreOperation> deletions = range.Entries
            .Where(entry => entry.Key.EndsWith(NodesPart + node, StringComparison.Ordinal)).Select(entry => new StoreOperation.Delete(entry.Key));
        foreach (StoreOperation[] some in deletions.Chunk(StoreLimits.TransactionItemsMax))
            await _store.TransactAsync(new StoreTransaction([], some), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Takes an image out of the catalogue.</summary>
    /// <exception cref="RecordException">NotFound; Invalid.</exception>
    public async Task RemoveAsync(string reference, CancellationToken cancellationToken = default)
    {
        string full = Normalize(reference);
        StoreCommit commit = await _store.TransactAsync(
            new StoreTransaction([new StoreComparison.Present(Prefix + full)], [new StoreOperation.Delete(Prefix + full)]), cancellationToken)
            .ConfigureAwait(false);
        if (!commit.Succeeded)
            throw NotFound(full);
        // Without its record nobody adds a holder; those that are left mean nothing and go now, in as many steps as they need.
        StoreRange holders = await _store.RangeAsync(Prefix + full + NodesPart, cancellationToken).ConfigureAwait(false);
        foreach (StoreEntry[] some in holders.Entries.Chunk(StoreLimits.TransactionItemsMax - 1))
        {
            await _store.TransactAsync(
                new StoreTransaction(
                    [new StoreComparison.Absent(Prefix + full)], [.. some.Select(entry => new StoreOperation.Delete(entry.Key))]),
                cancellationToken).ConfigureAwait(false);
        }
    }

    private static string HolderKey(string reference, string node) => Prefix + reference + NodesPart + node;

    private static StoreOperation.Put PutHolder(string reference, string node, ByteString hash) => new(HolderKey(reference, node), hash.Memory);

    private static ImageRecord? TryRead(StoreEntry entry) => RecordReader.TryRead(ImageRecord.Parser, entry, out ImageRecord? record) ? record : null;

    private static RecordException NotFound(string reference) => new(RecordFailure.NotFound, $"There is no image {reference}.");

    private static RecordException Busy(string reference) =>
        new(RecordFailure.Conflict, $"Others changed the image {reference} again and again. Try again.");

    private static List<ImageRecord> Join(IReadOnlyList<StoreEntry> entries)
    {
        var images = new SortedDictionary<string, ImageRecord>(StringComparer.Ordinal);
        foreach (StoreEntry entry in entries.Where(entry => SplitHolder(entry.Key) is null))
        {
            if (TryRead(entry) is { } image)
                images[entry.Key[Prefix.Length..]] = image;
        }

        foreach (StoreEntry entry in entries)
        {
            if (SplitHolder(entry.Key) is var (reference, node) && images.TryGetValue(reference, out ImageRecord? image)
                && entry.Value.Span.SequenceEqual(image.Hash.Span))
                image.Nodes.Add(node);
        }

        return [.. images.Values];
    }

    // A tag has no slash, so what follows the colon and a slash belongs to a holder.
    private static (string Reference, string Node)? SplitHolder(string key)
    {
        int colon = key.IndexOf(':', StringComparison.Ordinal);
        int slash = colon < 0 ? -1 : key.IndexOf(NodesPart, colon, StringComparison.Ordinal);
        return slash < 0 ? null : (key[Prefix.Length..slash], key[(slash + NodesPart.Length)..]);
    }
}
