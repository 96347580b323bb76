using Blixard.Images.Catalogue;
using Iroh.Base;
using Iroh.Blobs;
using Iroh.Blobs.Transfer;
using Iroh.Docs;

namespace Blixard.Node.Images;

/// <summary>Fetches entries of catalogues, and nothing that is longer than any: a key may stand for a disk. Thread-safe.</summary>
internal sealed class CatalogueFetcher(BlobDownloader downloader, IrohBlobSources sources) : IContentFetcher
{
    public async Task FetchAsync(BlobHash content, IReadOnlyList<EndpointAddress> providers, CancellationToken cancellationToken)
    {
        using var tooLong = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await downloader.DownloadAsync(
            new HashAndFormat(content, BlobFormat.Raw), [.. providers.Select(provider => sources.Create(provider))], new LengthGuard(tooLong), tooLong.Token)
            .ConfigureAwait(false);
    }

    private sealed class LengthGuard(CancellationTokenSource tooLong) : IProgress<DownloadProgress>
    {
        public void Report(DownloadProgress value)
        {
            if (value.Total > CatalogueImage.LengthMax)
                tooLong.Cancel();
        }
    }
}
