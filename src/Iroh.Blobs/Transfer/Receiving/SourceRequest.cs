using Iroh.Blobs.Requests;
using Iroh.Blobs.Store;
using Iroh.Quic;

namespace Iroh.Blobs.Transfer.Receiving;

/// <summary>Asks a source one thing and says what went wrong in the words of <see cref="BlobTransferException"/>.</summary>
internal static class SourceRequest
{
    /// <summary>Opens a stream, sends a request, and has the response received.</summary>
    /// <param name="source">Whom to ask.</param>
    /// <param name="blob">Of which blob, for errors.</param>
    /// <param name="request">As <c>ToBytes</c> of the requests gives it.</param>
    /// <param name="options">The limits.</param>
    /// <param name="receive">Reads the response; what it leaves is not wanted.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <exception cref="BlobTransferException">The source did not deliver.</exception>
    public static async Task<T> RunAsync<T>(
        IBlobSource source, BlobHash blob, byte[] request, BlobTransferOptions options, Func<ResponseReader, Task<T>> receive,
        CancellationToken cancellationToken)
    {
        using var watch = new SourceWatch(options, cancellationToken);
        long received = 0;
        try
        {
            await using IBlobStream stream = await source.OpenStreamAsync(watch.Token).ConfigureAwait(false);
            using var reader = new ResponseReader(stream.Input, watch);
            try
            {
                await stream.Output.WriteAsync(request, watch.Token).ConfigureAwait(false);

                // The source answers only when it has seen the end of the request.
                stream.CompleteWrites();
                return await receive(reader).ConfigureAwait(false);
            }
            finally
            {
                received = reader.BytesReceived;
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw;
        }
        catch (Exception exception) when (exception is not (BlobTransferException or BlobStoreException))
        {
            throw Explain(exception, source.Name, blob, received, watch.Failure, options);
        }
    }

    private static BlobTransferException Explain(
        Exception exception, string source, BlobHash blob, long received, BlobTransferFailure? watched, BlobTransferOptions options)
    {
        (BlobTransferFailure failure, string what) = (watched, CodeOf(exception)) switch
        {
            (BlobTransferFailure.Stalled, _) => (BlobTransferFailure.Stalled, $"sent nothing for {options.StallTimeout.TotalSeconds:0.#} s"),
            (BlobTransferFailure.Trickling, _) => (
                BlobTransferFailure.Trickling,
                $"sent less than {options.BytesPerSecondMin} bytes a second over {options.TrickleWindow.TotalSeconds:0.#} s"),
            (_, (ulong)BlobErrorCode.Permission) => (BlobTransferFailure.Refused, "does not allow it"),
            (_, (ulong)BlobErrorCode.RateLimited) => (BlobTransferFailure.Limited, "has too many requests"),
            (_, (ulong)BlobErrorCode.Internal) when received == 0 => (BlobTransferFailure.NotFound, "does not have it"),
            (_, { } code) => (BlobTransferFailure.Aborted, $"gave the request up with code {code} after {received} bytes"),
            _ => (BlobTransferFailure.Lost, $"was lost ({exception.Message})"),
        };
        return new BlobTransferException(failure, blob, source, $"{source} {what}: blob {blob}", exception);
    }

    /// <summary>The application code with which a source ended a stream or a connection; null if it was something else.</summary>
    internal static ulong? CodeOf(Exception exception) => exception switch
    {
        QuicStreamException stream => stream.Code,
        BlobStreamAbortedException aborted => aborted.Code,

        // The reasons with which iroh-blobs closes; other closings may use the numbers otherwise.
        QuicConnectionException { CloseReason: { Kind: QuicCloseKind.ApplicationClosed, Reason: "permission" or "limit" } reason } => reason.Code,
        _ => null,
    };
}
