using Iroh.Base;
using Iroh.Blobs;

namespace Iroh.Docs;

/// <summary>Brings contents from peers into the blob store. Thread-safe.</summary>
public interface IContentFetcher
{
    /// <summary>Fetches a blob; completes when all of it is in the blob store.</summary>
    /// <param name="content">Which.</param>
    /// <param name="providers">Who is said to have it; at least one.</param>
    /// <param name="cancellationToken">Gives up; what has arrived stays.</param>
    /// <exception cref="Exception">None of the providers gave it.</exception>
    Task FetchAsync(BlobHash content, IReadOnlyList<EndpointAddress> providers, CancellationToken cancellationToken);
}
