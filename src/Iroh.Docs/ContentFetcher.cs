using Iroh.Base;
using Iroh.Blobs;
using Iroh.Blobs.Transfer;

namespace Iroh.Docs;

/// <summary>Fetches contents with the blobs protocol. Thread-safe. Neither argument is disposed.</summary>
/// <param name="downloader">Writes into the blob store of the documents.</param>
/// <param name="sources">Dials the providers.</param>
public sealed class ContentFetcher(BlobDownloader downloader, IrohBlobSources sources) : IContentFetcher
{
    /// <inheritdoc/>
    /// <exception cref="BlobDownloadException">None of the providers gave it.</exception>
    public Task FetchAsync(BlobHash content, IReadOnlyList<EndpointAddress> providers, CancellationToken cancellationToken) =>
        downloader.DownloadAsync(
            new HashAndFormat(content, BlobFormat.Raw),
            [.. providers.Select(provider => sources.Create(provider))],
            cancellationToken: cancellationToken);
}
