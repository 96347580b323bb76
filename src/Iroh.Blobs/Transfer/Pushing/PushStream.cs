using Iroh.Blobs.Provider;
using Iroh.Blobs.Ranges;
using Iroh.Blobs.Requests;
using Iroh.Blobs.Store;
using Iroh.Blobs.Transfer.Receiving;

namespace Iroh.Blobs.Transfer.Pushing;

/// <summary>The one stream of a push. Used once.</summary>
internal sealed class PushStream(IBlobStore store, IBlobSource peer, BlobHash root, BlobTransferOptions options)
{
    /// <summary>Sends the request and what it announces, and waits until the peer has it.</summary>
    /// <param name="request">What is pushed.</param>
    /// <param name="due">The same: blobs and ranges in their order.</param>
    /// <param name="progress">Told the bytes so far.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>Bytes behind the request.</returns>
    /// <exception cref="BlobTransferException">The peer did not take it.</exception>
    public async Task<long> RunAsync(
        PushRequest request, IReadOnlyList<(BlobHash Hash, ChunkRanges Ranges)> due, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        using var limits = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        long sent = 0;
        try
        {
            IBlobStream stream = await OpenAsync(cancellationToken).ConfigureAwait(false);
            await using (stream.ConfigureAwait(false))
            {
                Task answer = ReadAnswerAsync(stream, limits.Token);
                try
                {
                    sent = await SendAsync(stream, request, due, progress, limits.Token).ConfigureAwait(false);
                    await EndAsync(stream, answer, limits.Token).ConfigureAwait(false);
                    return sent;
                }
                catch (IOException exception) when (exception is not BlobStoreException && SourceRequest.CodeOf(exception) is null or 0)
                {
                    // A peer that refuses says so in its answer, which may come a moment after it stopped reading.
                    await LimitAsync(answer, limits.Token).ConfigureAwait(false);
                    throw;
                }
                finally
                {
                    await limits.CancelAsync().ConfigureAwait(false);
                    await answer.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                }
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw;
        }
        catch (Exception exception) when (exception is not (BlobTransferException or BlobStoreException))
        {
            throw Explain(exception);
        }
    }

    private async Task<IBlobStream> OpenAsync(CancellationToken cancellationToken)
    {
        using var timer = new CancellationTokenSource(options.StallTimeout, options.TimeProvider);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellationToken);
        return await peer.OpenStreamAsync(either.Token).ConfigureAwait(false);
    }

    private async Task<long> SendAsync(
        IBlobStream stream, PushRequest request, IReadOnlyList<(BlobHash Hash, ChunkRanges Ranges)> due, IProgress<long>? progress,
        CancellationToken cancellationToken)
    {
        var limits = new BlobProviderOptions { SendTimeout = options.StallTimeout, TimeProvider = options.TimeProvider };
        using var output = new ResponseWriter(stream, place: null, limits, metrics: null, cancellationToken)
        {
            OnProgress = progress is null ? null : progress.Report,
        };
        await stream.Output.WriteAsync(request.ToBytes(), output.Token).ConfigureAwait(false);
        using var sender = new BlobSender(store, output);
        foreach ((BlobHash hash, ChunkRanges ranges) in due)
        {
            BlobRequestOutcome outcome = await sender.SendAsync(hash, ranges).ConfigureAwait(false);
            if (outcome == BlobRequestOutcome.Completed)
                continue;
            stream.Abort((ulong)BlobErrorCode.Internal);
            throw new BlobMissingException(
                hash, outcome == BlobRequestOutcome.Damaged ? "it is damaged in this store, and was given up in part" : "it was removed while it was pushed");
        }

        await output.FlushAsync().ConfigureAwait(false);
        stream.CompleteWrites();
        return output.BytesSent;
    }

    /// <summary>Waits until the peer has taken everything. It ends its side when it accepts, and reads no more when it has all; a transport
    /// that cannot tell that is waited for no longer than for a stall.</summary>
    private async Task EndAsync(IBlobStream stream, Task answer, CancellationToken cancellationToken)
    {
        if (!await LimitAsync(answer, cancellationToken).ConfigureAwait(false))
            throw new OperationCanceledException();
        try
        {
            await LimitAsync(stream.ReadsStopped, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (SourceRequest.CodeOf(exception) is 0)
        {
            // It had all that it wanted, and did not wait for the end.
        }
    }

    // Nothing is in it: it ends, or it fails with the reason.
    private static async Task ReadAnswerAsync(IBlobStream stream, CancellationToken cancellationToken)
    {
        var buffer = new byte[16];
        while (await stream.Input.ReadAsync(buffer, cancellationToken).ConfigureAwait(false) > 0)
        {
            // Whatever a peer may say here, nobody defined it.
        }
    }

    /// <summary>Waits for a task, and fails if it does.</summary>
    /// <returns>False if the time of a stall has passed.</returns>
    private async Task<bool> LimitAsync(Task task, CancellationToken cancellationToken)
    {
        try
        {
            await task.WaitAsync(options.StallTimeout, options.TimeProvider, cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    private BlobTransferException Explain(Exception exception)
    {
        (BlobTransferFailure failure, string what) = SourceRequest.CodeOf(exception) switch
        {
            (ulong)BlobErrorCode.Permission => (BlobTransferFailure.Refused, "does not take what is pushed"),
            (ulong)BlobErrorCode.RateLimited => (BlobTransferFailure.Limited, "has too many requests"),
            (ulong)BlobErrorCode.Internal => (BlobTransferFailure.Aborted, "could not store what was pushed"),
            { } code => (BlobTransferFailure.Aborted, $"gave the push up with code {code}"),
            null when exception is OperationCanceledException => (
                BlobTransferFailure.Stalled, $"took nothing for {options.StallTimeout.TotalSeconds:0.#} s"),
            _ => (BlobTransferFailure.Lost, $"was lost ({exception.Message})"),
        };
        return new BlobTransferException(failure, root, peer.Name, $"{peer.Name} {what}: blob {root}", exception);
    }
}
