using System.Collections.Immutable;
using Iroh.Base;
using Iroh.Blobs.Ranges;
using Iroh.Blobs.Requests;
using Iroh.Blobs.Store;
using Iroh.Blobs.Transfer;
using Iroh.Blobs.Transfer.Receiving;
using Iroh.Protocols;
using Iroh.Quic;

namespace Iroh.Blobs.Provider;

/// <summary>
/// Serves a store to those who ask: blobs, hash sequences with their children, what is here of a blob that is still coming, and, where it is
/// allowed, takes what is pushed. Speaks what iroh-blobs 0.90 and later speak, and the requests of 0.35. Thread-safe.
/// </summary>
/// <remarks>
/// <para>What is sent is proven while it is sent: content that was damaged on the disk ends the response with code 3 and is given up by the
/// store. Of a partial blob whole groups are served. A response that cannot go on because something is missing ends there, so that what was
/// sent before arrives; if nothing was sent, it ends with code 3.
/// DEVIATES: iroh-blobs 0.103 ends both with code 3, which can take back what was sent.</para>
/// <para>Requests that cannot be read are answered with the end of the stream and nothing else, as iroh-blobs does.</para>
/// </remarks>
public sealed class BlobProvider : IProtocolHandler, IDisposable
{
    /// <summary>The protocol (ALPN) under which a provider is reached.</summary>
    public const string ApplicationProtocol = BlobProtocol.ApplicationProtocol;

    private readonly IBlobStore _store;
    private readonly BlobProviderOptions _options;
    private readonly BlobTransferOptions _requestLimits;
    private readonly PeerBudgets _budgets;
    private readonly ProviderMetrics _metrics;
    private long _lastRequestId;

    /// <summary>A provider of a store.</summary>
    /// <param name="store">Stays the caller's, and open for as long as the provider is used.</param>
    /// <param name="options">Null = everybody may have everything, and nobody may push.</param>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public BlobProvider(IBlobStore store, BlobProviderOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(store);
        _store = store;
        _options = options ?? new BlobProviderOptions();
        _options.Validate();
        _requestLimits = new BlobTransferOptions { StallTimeout = _options.RequestTimeout, TimeProvider = _options.TimeProvider };
        _budgets = new PeerBudgets(_options);
        _metrics = new ProviderMetrics(_options.MeterFactory);
    }

    /// <summary>Serves the requests of one connection until it ends.</summary>
    /// <inheritdoc/>
    public async Task AcceptAsync(IrohConnection connection, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(connection);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var serving = new List<Task>();
        try
        {
            while (true)
            {
                QuicStream stream = await connection.AcceptBidirectionalStreamAsync(cancellationToken).ConfigureAwait(false);

                // The peer may have as many streams open as the connection allows; what has ended goes here.
                serving.RemoveAll(static task => task.IsCompleted);
                serving.Add(Task.Run(() => ServeStreamAsync(connection.RemoteId, new QuicBlobStream(stream), ended.Token), CancellationToken.None));
            }
        }
        catch (QuicConnectionException)
        {
            // The peer is gone: so are its requests.
        }
        finally
        {
            await ended.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(serving).ConfigureAwait(false);
        }
    }

    /// <summary>Serves one request on any duplex stream. Failures end the stream and are told to <see cref="BlobProviderOptions.Events"/>;
    /// the task itself does not fail.</summary>
    /// <param name="peer">Who asks, proven by whoever made the stream.</param>
    /// <param name="stream">The request and its response; disposed at the end.</param>
    /// <param name="cancellationToken">Gives the request up.</param>
    public async Task ServeStreamAsync(EndpointId peer, IBlobStream stream, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(stream);
        await using (stream.ConfigureAwait(false))
        {
            using var watch = new SourceWatch(_requestLimits, cancellationToken);
            using var input = new ResponseReader(stream.Input, watch, ResponseReader.RequestLength);
            IncomingRequest? request = await ReadRequestAsync(input, stream, cancellationToken).ConfigureAwait(false);
            if (request is not null)
                await ServeAsync(peer, request, stream, input, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _metrics.Dispose();

    private static async ValueTask<IncomingRequest?> ReadRequestAsync(ResponseReader input, IBlobStream stream, CancellationToken cancellationToken)
    {
        try
        {
            return await IncomingRequest.ReadAsync(input).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException)
        {
            // The peer went, or takes too long.
            stream.Abort(cancellationToken.IsCancellationRequested ? 0 : (ulong)BlobErrorCode.Internal);
            return null;
        }
    }

    private async Task ServeAsync(
        EndpointId peer, IncomingRequest request, IBlobStream stream, ResponseReader input, CancellationToken cancellationToken)
    {
        long since = _options.TimeProvider.GetTimestamp();
        var info = new BlobRequestInfo(
            Interlocked.Increment(ref _lastRequestId), peer, request.Kind, request.Hashes, request.IsHashSequence);
        using PeerBudgets.Place? place = _budgets.TryEnter(peer, request.Type);
        BlobRequestOutcome outcome;
        long bytes = 0;
        if (place is null)
        {
            outcome = BlobRequestOutcome.Limited;
        }
        else
        {
            outcome = await AuthorizeAsync(info).ConfigureAwait(false);
            if (outcome == BlobRequestOutcome.Completed)
            {
                _metrics.OnStarted(info.Kind);
                _options.Events?.OnStarted(info);
                (outcome, bytes) = await AnswerAsync(info, request, stream, input, place, cancellationToken).ConfigureAwait(false);
                _metrics.OnStopped(info.Kind);
            }
        }

        if (ErrorCodeOf(outcome, bytes > 0) is { } code)
            stream.Abort(code);
        _metrics.OnEnded(info.Kind, outcome);
        _options.Events?.OnEnded(info, outcome, bytes, _options.TimeProvider.GetElapsedTime(since));
    }

    /// <summary>The code with which the streams are given up; null if they end well.</summary>
    private static ulong? ErrorCodeOf(BlobRequestOutcome outcome, bool hasContent) => outcome switch
    {
        BlobRequestOutcome.Completed => null,
        BlobRequestOutcome.NotFound when hasContent => null,
        BlobRequestOutcome.Refused => (ulong)BlobErrorCode.Permission,
        BlobRequestOutcome.Limited => (ulong)BlobErrorCode.RateLimited,
        BlobRequestOutcome.Aborted => 0,
        _ => (ulong)BlobErrorCode.Internal,
    };

    private async ValueTask<BlobRequestOutcome> AuthorizeAsync(BlobRequestInfo info)
    {
        if (info.Kind == BlobRequestKind.Push && !_options.AllowPush)
            return BlobRequestOutcome.Refused;
        if (_options.Authorize is null)
            return BlobRequestOutcome.Completed;
        try
        {
            return await _options.Authorize(info).ConfigureAwait(false) switch
            {
                BlobAccess.Allow => BlobRequestOutcome.Completed,
                BlobAccess.RateLimited => BlobRequestOutcome.Limited,
                _ => BlobRequestOutcome.Refused,
            };
        }
        catch (Exception)
        {
            // Whoever decides could not: then it is no.
            return BlobRequestOutcome.Refused;
        }
    }

    private async Task<(BlobRequestOutcome Outcome, long Bytes)> AnswerAsync(
        BlobRequestInfo info, IncomingRequest request, IBlobStream stream, ResponseReader input, PeerBudgets.Place place,
        CancellationToken cancellationToken)
    {
        using var output = new ResponseWriter(stream, place, _options, _metrics, cancellationToken)
        {
            OnProgress = _options.Events is { } events ? bytes => events.OnProgress(info, bytes) : null,
        };
        long pushed = 0;
        try
        {
            BlobRequestOutcome outcome = request.Type switch
            {
                BlobRequestType.Observe => await new ObserveResponder(_store, _options, _budgets)
                    .AnswerAsync(request.Hashes[0], stream, output).ConfigureAwait(false),
                BlobRequestType.Push => await ReceivePushAsync(request, stream, input, bytes => pushed += bytes, cancellationToken).ConfigureAwait(false),
                _ => await SendBlobsAsync(request, output).ConfigureAwait(false),
            };
            if (outcome == BlobRequestOutcome.Completed || (outcome == BlobRequestOutcome.NotFound && output.HasContent))
            {
                await output.FlushAsync().ConfigureAwait(false);
                stream.CompleteWrites();
            }

            return (outcome, output.BytesSent + pushed);
        }
        catch (BlobTransferException exception)
        {
            return (exception.Failure is BlobTransferFailure.Lying or BlobTransferFailure.NotFound
                ? BlobRequestOutcome.Malformed : BlobRequestOutcome.Aborted, pushed);
        }
        catch (BlobStoreException)
        {
            return (BlobRequestOutcome.Failed, output.BytesSent + pushed);
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException)
        {
            return (BlobRequestOutcome.Aborted, output.BytesSent + pushed);
        }
    }

    private Task<BlobRequestOutcome> ReceivePushAsync(
        IncomingRequest request, IBlobStream stream, ResponseReader input, Action<int> onStored, CancellationToken cancellationToken)
    {
        stream.CompleteWrites();
        return new PushReceiver(_store, _options.HashSequenceLengthMax, input)
        {
            OnStored = bytes =>
            {
                _metrics.OnPushed(bytes);
                onStored(bytes);
            },
        }.ReceiveAsync(request, cancellationToken);
    }

    private async ValueTask<BlobRequestOutcome> SendBlobsAsync(IncomingRequest request, ResponseWriter output)
    {
        using var sender = new BlobSender(_store, output);
        if (request.Type == BlobRequestType.GetMany)
            return await SendListedAsync(request, sender).ConfigureAwait(false);
        BlobHash root = request.Hashes[0];
        BlobRequestOutcome outcome = await sender.SendAsync(root, request.Ranges[0]).ConfigureAwait(false);
        if (outcome != BlobRequestOutcome.Completed || !request.IsHashSequence || request.Ranges.IsEmpty)
            return outcome;
        using var children = HashSequenceContent.TryOpen(_store, root, _options.HashSequenceLengthMax);
        if (children is null)
            return BlobRequestOutcome.NotFound;
        foreach ((ulong offset, ChunkRanges ranges) in request.Ranges.Selected((ulong)children.Count + 1))
        {
            if (offset == 0)
                continue;
            BlobHash child = await children.ReadAsync((int)(offset - 1), output.Token).ConfigureAwait(false);
            outcome = await sender.SendAsync(child, ranges).ConfigureAwait(false);
            if (outcome != BlobRequestOutcome.Completed)
                return outcome;
        }

        return BlobRequestOutcome.Completed;
    }

    private static async ValueTask<BlobRequestOutcome> SendListedAsync(IncomingRequest request, BlobSender sender)
    {
        ImmutableArray<BlobHash> hashes = request.Hashes;
        foreach ((ulong index, ChunkRanges ranges) in request.Ranges.Selected((ulong)hashes.Length))
        {
            BlobRequestOutcome outcome = await sender.SendAsync(hashes[(int)index], ranges).ConfigureAwait(false);
            if (outcome != BlobRequestOutcome.Completed)
                return outcome;
        }

        return BlobRequestOutcome.Completed;
    }
}
