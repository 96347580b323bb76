using Blixard.Cluster.Store;
using Blixard.Etcd.Client;
using Blixard.Etcd.Wire;
using Google.Protobuf;

namespace Blixard.Etcd.Store;

/// <summary>Reads of a member: linearizable, or what the member has. Thread-safe.</summary>
internal sealed class EtcdReader(EtcdCalls calls, bool mayBeStale) : IStoreReader
{
    // A range whose revision was compacted between two pages begins anew. Thousands of writes happened meanwhile: a range that
    // needs more attempts than this cannot be read.
    private const int AttemptsMax = 3;

    public async ValueTask<StoreEntry?> GetAsync(string key, CancellationToken cancellationToken = default)
    {
        StoreTransaction.CheckKey(key);
        RangeResponse response = await ReadAsync(new RangeRequest { Key = EtcdMessages.ToBytes(key) }, cancellationToken).ConfigureAwait(false);
        return response.Kvs.Count == 0 ? null : EtcdMessages.ToEntry(response.Kvs[0]);
    }

    public async ValueTask<StoreRange> RangeAsync(string prefix, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(prefix);
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                return await ReadPagesAsync(prefix, cancellationToken).ConfigureAwait(false);
            }
            catch (EtcdException failure) when (failure.Kind == EtcdErrorKind.Compacted && attempt < AttemptsMax)
            {
            }
            catch (EtcdException failure)
            {
                throw EtcdFailures.ToStore(failure);
            }
        }
    }

    /// <summary>Keys as they were at one of etcd's revisions; absent ones are left out.</summary>
    public async ValueTask<IReadOnlyList<StoreEntry>> GetAtAsync(IEnumerable<string> keys, long revision, CancellationToken cancellationToken)
    {
        var entries = new List<StoreEntry>();
        foreach (string key in keys)
        {
            var request = new RangeRequest { Key = EtcdMessages.ToBytes(key), Revision = revision };
            entries.AddRange((await ReadAsync(request, cancellationToken).ConfigureAwait(false)).Kvs.Select(EtcdMessages.ToEntry));
        }

        return entries;
    }

    private async ValueTask<StoreRange> ReadPagesAsync(string prefix, CancellationToken cancellationToken)
    {
        (ByteString next, ByteString end) = EtcdMessages.ToInterval(prefix);
        var entries = new List<StoreEntry>();
        long revision = 0;
        int limit = EtcdPages.First;
        while (true)
        {
            // The member has what the first page showed, so the others come from it alone.
            var request = new RangeRequest
            {
                Key = next, RangeEnd = end, Limit = limit, Revision = revision, Serializable = mayBeStale || revision > 0,
            };
            RangeResponse page;
            try
            {
                page = await calls.ReadAsync(request, cancellationToken).ConfigureAwait(false);
            }
            catch (EtcdException failure) when (failure.Kind == EtcdErrorKind.TooLarge && limit > EtcdPages.Least)
            {
                limit = EtcdPages.Least;
                continue;
            }

            revision = revision == 0 ? page.Header.Revision : revision;
            entries.AddRange(page.Kvs.Select(EtcdMessages.ToEntry));
            if (!page.More || page.Kvs.Count == 0)
                return new StoreRange(entries, EtcdRevision.ToStore(revision));
            next = EtcdMessages.After(page.Kvs[^1].Key);
            limit = EtcdPages.Next(page);
        }
    }

    private async ValueTask<RangeResponse> ReadAsync(RangeRequest request, CancellationToken cancellationToken)
    {
        request.Serializable = mayBeStale || request.Revision > 0;
        try
        {
            return await calls.ReadAsync(request, cancellationToken).ConfigureAwait(false);
        }
        catch (EtcdException failure)
        {
            throw EtcdFailures.ToStore(failure);
        }
    }
}
