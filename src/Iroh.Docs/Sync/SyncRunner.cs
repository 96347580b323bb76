using Iroh.Base;
using Iroh.Docs.Reconciliation;
using Iroh.Protocols;
using Iroh.Quic;

namespace Iroh.Docs.Sync;

/// <summary>Dials and answers syncs over connections. Thread-safe.</summary>
internal sealed class SyncRunner : IDisposable
{
    private readonly IrohEndpoint _endpoint;
    private readonly DocumentEngine _engine;
    private readonly Lock _gate = new();
    private readonly SyncTable _table;
    private readonly SemaphoreSlim _answers = new(SyncLimits.AnsweredMax);
    private int _undecided;

    internal SyncRunner(IrohEndpoint endpoint, DocumentEngine engine)
    {
        _endpoint = endpoint;
        _engine = engine;
        _table = new SyncTable(endpoint.Id);
    }

    /// <summary>Syncs a document with a peer. The report tells of everything but cancellation.</summary>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    internal async Task<SyncReport> DialAsync(NamespaceId document, EndpointAddress peer, CancellationToken cancellationToken)
    {
        DateTimeOffset started = _engine.Options.TimeProvider.GetUtcNow();
        var outcome = ReconciliationOutcome.None;
        SyncException? failure = null;
        bool begun;
        lock (_gate)
            begun = _table.TryBeginDial(document, peer.Id);
        try
        {
            if (!_engine.Options.Authorize(peer.Id, document))
                failure = SyncSession.NotAllowed();
            else if (begun)
                outcome = await ConnectAndSyncAsync(document, peer, cancellationToken).ConfigureAwait(false);
            else
                failure = new SyncException(SyncFailure.AlreadySyncing, "This document is being synced with this peer already.");
        }
        catch (SyncException exception)
        {
            failure = exception;
        }
        finally
        {
            if (begun)
            {
                lock (_gate)
                    _table.EndDial(document, peer.Id);
            }
        }

        var report = new SyncReport(document, peer.Id, true, started, _engine.Options.TimeProvider.GetUtcNow(), outcome, failure);
        _engine.OnSynced(report, peer);
        return report;
    }

    /// <summary>Answers the one sync of a connection.</summary>
    internal async Task AnswerAsync(IrohConnection connection, CancellationToken cancellationToken)
    {
        bool undecided = true;
        if (Interlocked.Increment(ref _undecided) > SyncLimits.UndecidedMax)
        {
            Interlocked.Decrement(ref _undecided);
            await connection.CloseAsync(ProtocolRouter.HandlerFailedCode, "too many syncs at once").ConfigureAwait(false);
            return;
        }

        try
        {
            await using QuicStream stream = await connection.AcceptBidirectionalStreamAsync(cancellationToken).AsTask()
                .WaitAsync(SyncLimits.SilenceMax, _engine.Options.TimeProvider, cancellationToken).ConfigureAwait(false);
            using var channel = new SyncChannel(stream, stream.CompleteWrites, _engine.Options.TimeProvider, cancellationToken);
            var session = new SyncSession(channel, _engine.Options.TimeProvider, document => _engine.Options.Authorize(connection.RemoteId, document));
            SyncMessage.Init init = await session.ReadInitAsync().ConfigureAwait(false);
            Interlocked.Decrement(ref _undecided);
            undecided = false;
            await AnswerAsync(session, init, connection.RemoteId, cancellationToken).ConfigureAwait(false);
            // The connection is closed after this: the peer must have the last bytes.
            await stream.WritesFinished.WaitAsync(SyncLimits.SilenceMax, _engine.Options.TimeProvider, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is SyncException or TimeoutException or QuicConnectionException or QuicStreamException)
        {
            await connection.CloseAsync(ProtocolRouter.HandlerFailedCode, "the sync failed").ConfigureAwait(false);
        }
        finally
        {
            if (undecided)
                Interlocked.Decrement(ref _undecided);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _answers.Dispose();

    private async Task<ReconciliationOutcome> ConnectAndSyncAsync(NamespaceId document, EndpointAddress peer, CancellationToken cancellationToken)
    {
        try
        {
            await using IrohConnection connection =
                await _endpoint.ConnectAsync(peer, DocsProtocol.ApplicationProtocol, cancellationToken).ConfigureAwait(false);
            await using QuicStream stream = await connection.OpenBidirectionalStreamAsync(cancellationToken).ConfigureAwait(false);
            using var channel = new SyncChannel(stream, stream.CompleteWrites, _engine.Options.TimeProvider, cancellationToken);
            var replica = new PeerReplica(_engine, document, peer);
            return await new SyncSession(channel, _engine.Options.TimeProvider, known => _engine.Options.Authorize(peer.Id, known))
                .DialAsync(document, replica, _engine.Options.Reconciliation).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is IrohConnectException or QuicConnectionException or QuicStreamException)
        {
            throw new SyncException(SyncFailure.Unreachable, $"{peer.Id.ToShortString()} could not be reached: {exception.Message}", exception);
        }
    }

    private async Task AnswerAsync(SyncSession session, SyncMessage.Init init, EndpointId peer, CancellationToken cancellationToken)
    {
        NamespaceId document = init.Document;
        // Who may not sync learns no more than who asks for a document that does not exist.
        if (!_engine.IsSynced(document) || !_engine.Options.Authorize(peer, document) || _engine.Store.TryGetCapability(document) is null)
        {
            await session.AbortAsync(SyncAbortReason.NotFound).ConfigureAwait(false);
            return;
        }

        bool begun;
        lock (_gate)
            begun = _table.TryBeginAccept(document, peer);
        if (!begun)
        {
            await session.AbortAsync(SyncAbortReason.AlreadySyncing).ConfigureAwait(false);
            return;
        }

        DateTimeOffset started = _engine.Options.TimeProvider.GetUtcNow();
        var outcome = ReconciliationOutcome.None;
        SyncException? failure = null;
        try
        {
            await _answers.WaitAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                outcome = await session.AnswerAsync(init, new PeerReplica(_engine, document, peer), _engine.Options.Reconciliation).ConfigureAwait(false);
            }
            finally
            {
                _answers.Release();
            }
        }
        catch (SyncException exception)
        {
            failure = exception;
            throw;
        }
        finally
        {
            lock (_gate)
                _table.EndAccept(document, peer);
            if (!cancellationToken.IsCancellationRequested)
                _engine.OnSynced(new SyncReport(document, peer, false, started, _engine.Options.TimeProvider.GetUtcNow(), outcome, failure), peer);
        }
    }
}
