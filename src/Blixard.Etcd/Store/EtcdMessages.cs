using System.Text;
using Blixard.Cluster.Store;
using Blixard.Etcd.Wire;
using Google.Protobuf;
using CompareResult = Blixard.Etcd.Wire.Compare.Types.CompareResult;
using CompareTarget = Blixard.Etcd.Wire.Compare.Types.CompareTarget;

namespace Blixard.Etcd.Store;

/// <summary>The store's words as etcd's and back.</summary>
internal static class EtcdMessages
{
    // As the first key of an interval the smallest there is; as its end "no end".
    private static readonly ByteString s_zero = ByteString.CopyFrom(0);

    /// <summary>A key's bytes.</summary>
    public static ByteString ToBytes(string key) => ByteString.CopyFromUtf8(key);

    /// <summary>The interval of all keys with a prefix.</summary>
    public static (ByteString Key, ByteString End) ToInterval(string prefix)
    {
        if (prefix.Length == 0)
            return (s_zero, s_zero);
        byte[] end = Encoding.UTF8.GetBytes(prefix);
        // The last byte of UTF-8 is at most 0xBF, so the next one exists.
        end[^1]++;
        return (ByteString.CopyFromUtf8(prefix), ByteString.CopyFrom(end));
    }

    /// <summary>The first key that can follow <paramref name="key"/>.</summary>
    public static ByteString After(ByteString key)
    {
        byte[] next = new byte[key.Length + 1];
        key.Span.CopyTo(next);
        return ByteString.CopyFrom(next);
    }

    public static StoreEntry ToEntry(KeyValue entry) => new(
        entry.Key.ToStringUtf8(),
        entry.Value.Memory,
        EtcdRevision.ToStore(entry.CreateRevision),
        EtcdRevision.ToStore(entry.ModRevision),
        entry.Version,
        entry.Lease);

    public static StoreChange ToChange(Event change) =>
        new(change.Kv.Key.ToStringUtf8(), change.Type == Event.Types.EventType.Put ? ToEntry(change.Kv) : null);

    /// <summary>A transaction that, if a comparison fails, reads <paramref name="readOnFailure"/>.</summary>
    public static TxnRequest ToRequest(StoreTransaction transaction, IEnumerable<string> readOnFailure) => new()
    {
        Compare = { transaction.Comparisons.Select(ToCompare) },
        Success = { transaction.Operations.Select(ToOperation) },
        Failure = { readOnFailure.Select(key => new RequestOp { RequestRange = new RangeRequest { Key = ToBytes(key) } }) },
    };

    private static Compare ToCompare(StoreComparison comparison)
    {
        var compare = new Compare { Key = ToBytes(comparison.Key) };
        switch (comparison)
        {
            case StoreComparison.Absent:
                (compare.Target, compare.Result, compare.Version) = (CompareTarget.Version, CompareResult.Equal, 0);
                break;
            case StoreComparison.Present:
                (compare.Target, compare.Result, compare.Version) = (CompareTarget.Version, CompareResult.Greater, 0);
                break;
            case StoreComparison.ModRevision mod:
                (compare.Target, compare.Result, compare.ModRevision) = (CompareTarget.Mod, CompareResult.Equal, EtcdRevision.ToEtcd(mod.Revision));
                break;
            case StoreComparison.ValueIs value:
                (compare.Target, compare.Result, compare.Value) = (CompareTarget.Value, CompareResult.Equal, ByteString.CopyFrom(value.Value.Span));
                break;
            default:
                throw new ArgumentException($"{comparison.GetType()} is no comparison of this store.", nameof(comparison));
        }

        return compare;
    }

    private static RequestOp ToOperation(StoreOperation operation) => operation switch
    {
        StoreOperation.Put put => new RequestOp
        {
            RequestPut = new PutRequest { Key = ToBytes(put.Key), Value = ByteString.CopyFrom(put.Value.Span), Lease = put.Lease },
        },
        StoreOperation.Delete delete => new RequestOp { RequestDeleteRange = new DeleteRangeRequest { Key = ToBytes(delete.Key) } },
        _ => throw new ArgumentException($"{operation.GetType()} is no operation of this store.", nameof(operation)),
    };
}
