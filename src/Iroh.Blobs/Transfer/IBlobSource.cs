namespace Iroh.Blobs.Transfer;

/// <summary>Somebody who can be asked for blobs, once per stream. Members may be used from any thread, several calls at once.</summary>
public interface IBlobSource
{
    /// <summary>Names the source in progress and errors. Two sources of one name are taken for the same.</summary>
    string Name { get; }

    /// <summary>Opens a stream for one request, connecting first where that is needed.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The caller's, to be disposed.</returns>
    /// <exception cref="Exception">
    /// The source cannot be reached. Any exception will do but <see cref="OperationCanceledException"/> for the given token: its message
    /// is shown to people.
    /// </exception>
    ValueTask<IBlobStream> OpenStreamAsync(CancellationToken cancellationToken);
}
