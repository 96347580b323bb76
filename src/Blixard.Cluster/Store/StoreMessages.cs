using System.Diagnostics.CodeAnalysis;
using Blixard.Rpc.Calls;
using Blixard.V1;
using Google.Protobuf;

namespace Blixard.Cluster.Store;

/// <summary>The store's types as the messages of store.proto, and back.</summary>
internal static class StoreMessages
{
    // An engine may grant a little more than the longest lease; what is far beyond comes from a broken server.
    public const long TimeToLiveSecondsMax = 2 * 3_600;

    public static KeyValue ToMessage(StoreEntry entry) => new()
    {
        Key = entry.Key,
        Value = UnsafeByteOperations.UnsafeWrap(entry.Value),
        CreateRevision = entry.CreateRevision,
        ModRevision = entry.ModRevision,
        Version = entry.Version,
        Lease = entry.Lease,
    };

    public static StoreEntry ToEntry(KeyValue message) =>
        new(message.Key, message.Value.Memory, message.CreateRevision, message.ModRevision, message.Version, message.Lease);

    public static TransactRequest ToMessage(StoreTransaction transaction)
    {
        var message = new TransactRequest();
        foreach (StoreComparison comparison in transaction.Comparisons)
        {
            message.Comparisons.Add(comparison switch
            {
                StoreComparison.Absent => new Comparison { Key = comparison.Key, Exists = false },
                StoreComparison.Present => new Comparison { Key = comparison.Key, Exists = true },
                StoreComparison.ModRevision mod => new Comparison { Key = comparison.Key, ModRevision = mod.Revision },
                StoreComparison.ValueIs value => new Comparison { Key = comparison.Key, Value = UnsafeByteOperations.UnsafeWrap(value.Value) },
                _ => throw new ArgumentException($"{comparison.GetType()} is no comparison of this store.", nameof(transaction)),
            });
        }

        foreach (StoreOperation operation in transaction.Operations)
        {
            message.Operations.Add(operation is StoreOperation.Put put
                ? new Operation { Put = new PutOperation { Key = put.Key, Value = UnsafeByteOperations.UnsafeWrap(put.Value), Lease = put.Lease } }
                : new Operation { Delete = new DeleteOperation { Key = operation.Key } });
        }

        return message;
    }

    /// <summary>False if an item of the message says nothing.</summary>
    public static bool TryRead(TransactRequest message, [NotNullWhen(true)] out StoreTransaction? transaction)
    {
        transaction = null;
        var comparisons = new List<StoreComparison>();
        foreach (Comparison comparison in message.Comparisons)
        {
            switch (comparison.ConditionCase)
            {
                case Comparison.ConditionOneofCase.Exists when comparison.Exists:
                    comparisons.Add(new StoreComparison.Present(comparison.Key));
                    break;
                case Comparison.ConditionOneofCase.Exists:
                    comparisons.Add(new StoreComparison.Absent(comparison.Key));
                    break;
                case Comparison.ConditionOneofCase.ModRevision:
                    comparisons.Add(new StoreComparison.ModRevision(comparison.Key, comparison.ModRevision));
                    break;
                case Comparison.ConditionOneofCase.Value:
                    comparisons.Add(new StoreComparison.ValueIs(comparison.Key, comparison.Value.Memory));
                    break;
                default:
                    return false;
            }
        }

        var operations = new List<StoreOperation>();
        foreach (Operation operation in message.Operations)
        {
            switch (operation.OperationCase)
            {
                case Operation.OperationOneofCase.Put:
                    operations.Add(new StoreOperation.Put(operation.Put.Key, operation.Put.Value.Memory, operation.Put.Lease));
                    break;
                case Operation.OperationOneofCase.Delete:
                    operations.Add(new StoreOperation.Delete(operation.Delete.Key));
                    break;
                default:
                    return false;
            }
        }

        transaction = new StoreTransaction(comparisons, operations);
        return true;
    }

    public static WatchResponse ToMessage(StoreChanges changes)
    {
        var message = new WatchResponse { Revision = changes.Revision, Changes = new Changes() };
        foreach (StoreChange change in changes.Changes)
        {
            message.Changes.Changes_.Add(change.Entry is { } entry
                ? new Change { Kind = ChangeKind.Put, Kv = ToMessage(entry) }
                : new Change { Kind = ChangeKind.Delete, Kv = new KeyValue { Key = change.Key, ModRevision = changes.Revision } });
        }

        return message;
    }

    /// <summary>The changes of a step; those that make no sense are left out.</summary>
    public static StoreChanges ToChanges(long revision, Changes message) => new(
        revision,
        [
            .. message.Changes_.Where(change => change.Kv is not null && change.Kind is ChangeKind.Put or ChangeKind.Delete)
                .Select(change => new StoreChange(change.Kv.Key, change.Kind == ChangeKind.Put ? ToEntry(change.Kv) : null)),
        ]);

    /// <summary>Seconds from the wire as a time to live; null if they are none.</summary>
    public static TimeSpan? ToTimeToLive(long seconds) =>
        seconds is > 0 and <= TimeToLiveSecondsMax ? TimeSpan.FromSeconds(seconds) : null;

    public static RpcException ToStatus(StoreUnavailableException exception) => new(
        RpcStatusCode.Unavailable,
        exception.Message,
        details: new StoreUnavailable { HadNoEffect = exception.HadNoEffect }.ToByteArray(),
        inner: exception);

    /// <summary>Whether a server's answer says that the call surely had no effect.</summary>
    public static bool SaysNoEffect(RpcException exception)
    {
        if (exception is not { StatusCode: RpcStatusCode.Unavailable, Stage: RpcFailureStage.Answered })
            return false;
        try
        {
            return StoreUnavailable.Parser.ParseFrom(exception.Details.Span).HadNoEffect;
        }
        catch (InvalidProtocolBufferException)
        {
            return false;
        }
    }
}
