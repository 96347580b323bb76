using Iroh.Docs.Reconciliation;

namespace Iroh.Docs.Sync;

/// <summary>One sync of one document over a channel, from the first message to the end of both sides. Each method is called once.</summary>
/// <param name="channel">The stream.</param>
/// <param name="time">The clock that entries must not be far ahead of.</param>
/// <param name="mayHear">Whether the peer may hear of a document; asked for each message to it, so that a sync under way ends with the permission.</param>
internal sealed class SyncSession(SyncChannel channel, TimeProvider time, Func<NamespaceId, bool> mayHear)
{
    /// <summary>Leads a sync as the one that dialled.</summary>
    /// <exception cref="SyncException">It did not come to its end; what was stored until then stays.</exception>
    internal async Task<ReconciliationOutcome> DialAsync(NamespaceId document, IReconciledReplica replica, ReconciliationOptions options)
    {
        var reconciliation = new SetReconciliation(document, replica, options);
        await channel.WriteAsync(new SyncMessage.Init(document, reconciliation.Begin())).ConfigureAwait(false);
        await ExchangeAsync(document, reconciliation, isDialler: true).ConfigureAwait(false);
        return reconciliation.Outcome;
    }

    /// <summary>Waits for what a peer that dialled wants.</summary>
    /// <exception cref="SyncException">It did not say it.</exception>
    internal async Task<SyncMessage.Init> ReadInitAsync()
    {
        channel.FrameBytesMax = SyncLimits.FirstFrameBytesMax;
        var init = await channel.ReadAsync().ConfigureAwait(false) as SyncMessage.Init
            ?? throw new SyncException(SyncFailure.ProtocolBroken, "The peer does not keep to the protocol: it did not begin with the document's id.");
        channel.FrameBytesMax = SyncLimits.FrameBytesMax;
        return init;
    }

    /// <summary>Answers with a refusal.</summary>
    internal async Task AbortAsync(SyncAbortReason reason)
    {
        await channel.WriteAsync(new SyncMessage.Abort(reason)).ConfigureAwait(false);
        await channel.FinishAsync().ConfigureAwait(false);
    }

    /// <summary>Answers a sync to its end.</summary>
    /// <exception cref="SyncException">It did not come to its end; what was stored until then stays.</exception>
    internal async Task<ReconciliationOutcome> AnswerAsync(SyncMessage.Init init, IReconciledReplica replica, ReconciliationOptions options)
    {
        var reconciliation = new SetReconciliation(init.Document, replica, options);
        if (await AnswerAsync(init.Document, reconciliation, init.Message).ConfigureAwait(false))
            await ExchangeAsync(init.Document, reconciliation, isDialler: false).ConfigureAwait(false);
        else
            await channel.FinishAsync().ConfigureAwait(false);
        return reconciliation.Outcome;
    }

    private async Task ExchangeAsync(NamespaceId document, SetReconciliation reconciliation, bool isDialler)
    {
        for (int round = 0; await channel.ReadAsync().ConfigureAwait(false) is { } message; round++)
        {
            if (round == SyncLimits.RoundsMax)
                throw Broken("the sync does not come to an end");
            switch (message)
            {
                case SyncMessage.Abort abort when isDialler:
                    throw Refused(abort.Reason);
                case SyncMessage.Round next:
                    if (await AnswerAsync(document, reconciliation, next.Message).ConfigureAwait(false))
                        continue;
                    break;
                default:
                    throw Broken("a message came out of turn");
            }

            break;
        }

        await channel.FinishAsync().ConfigureAwait(false);
    }

    private async Task<bool> AnswerAsync(NamespaceId document, SetReconciliation reconciliation, ReconciliationMessage message)
    {
        ReconciliationStep step = reconciliation.Process(message, EntryTimestamp.From(time.GetUtcNow()));
        if (step.Fault is not null)
            throw Broken($"it {step.Fault}");
        if (step.Reply is null)
            return false;
        // After the reply is made: an entry that was written since the permission ended is not in a reply that goes out.
        if (!mayHear(document))
            throw NotAllowed();
        await channel.WriteAsync(new SyncMessage.Round(step.Reply)).ConfigureAwait(false);
        return true;
    }

    /// <summary>What a sync ends with when the peer may not hear of the document.</summary>
    internal static SyncException NotAllowed() => new(SyncFailure.NotAllowed, "This peer may not sync this document with us.");

    private static SyncException Broken(string what) => new(SyncFailure.ProtocolBroken, $"The peer does not keep to the protocol: {what}.");

    private static SyncException Refused(SyncAbortReason reason) => reason switch
    {
        SyncAbortReason.NotFound => new(SyncFailure.NotFound, "The peer does not have this document, does not sync it, or not with us."),
        SyncAbortReason.AlreadySyncing => new(SyncFailure.AlreadySyncing, "The peer is syncing this document with us already."),
        _ => new(SyncFailure.FailedAtPeer, "Something failed at the peer. Its log says more."),
    };
}
