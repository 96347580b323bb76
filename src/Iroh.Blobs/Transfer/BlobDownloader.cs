using Iroh.Blobs.Store;
using Iroh.Blobs.Transfer.Downloading;

namespace Iroh.Blobs.Transfer;

/// <summary>
/// Gets blobs from many sources at once: each is given as much of a blob as it delivers, a slow one's rest is taken over by a fast one, and
/// one that lies, stalls or trickles is dropped and named. Sources that are still fetching the blob themselves give what they have. Calls for
/// the same blob share the work. Thread-safe.
/// </summary>
public sealed class BlobDownloader : IDisposable
{
    private readonly IBlobStore _store;
    private readonly BlobTransferOptions _options;
    private readonly TransferMetrics _metrics;
    private readonly Lock _lock = new();
    private readonly Dictionary<BlobHash, BlobDownload> _downloads = [];

    /// <summary>A downloader into a store.</summary>
    /// <param name="store">Stays the caller's.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public BlobDownloader(IBlobStore store, BlobTransferOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(store);
        _store = store;
        _options = options ?? new BlobTransferOptions();
        _options.Validate();
        _metrics = new TransferMetrics(_options.MeterFactory);
    }

    /// <summary>Gets a blob, or a hash sequence with all its children, from a list of sources. See
    /// <see cref="DownloadAsync(HashAndFormat, IAsyncEnumerable{IBlobSource}, IProgress{DownloadProgress}?, CancellationToken)"/>.</summary>
    public Task DownloadAsync(
        HashAndFormat content, IEnumerable<IBlobSource> sources, IProgress<DownloadProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(sources);
        return DownloadAsync(content, sources.ToAsyncEnumerable(), progress, cancellationToken);
    }

    /// <summary>
    /// Gets a blob, or a hash sequence with all its children. Returns when all of it is safe in the store, which holds it meanwhile; whoever
    /// wants to keep it holds or tags it before.
    /// </summary>
    /// <param name="content">What.</param>
    /// <param name="sources">Whom to ask. More may come while it runs; it ends without waiting for them when it has everything, and goes on
    /// without sources while more may come.</param>
    /// <param name="progress">Told a few times a second, and at the end; null = nobody is.</param>
    /// <param name="cancellationToken">Ends this call; the work ends with the last call for the blob. What came is kept and not asked for
    /// again.</param>
    /// <exception cref="BlobDownloadException">No source is left, and no more come.</exception>
    /// <exception cref="BlobTransferException">What should be a hash sequence is none.</exception>
    /// <exception cref="BlobStoreException">The store failed.</exception>
    public async Task DownloadAsync(
        HashAndFormat content, IAsyncEnumerable<IBlobSource> sources, IProgress<DownloadProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(sources);
        using TempTag hold = _store.Hold(content);
        var session = new DownloadSession(this, _store, _options, content, progress);
        await session.RunAsync(sources, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Gives the meter back. Calls that run go on.</summary>
    public void Dispose() => _metrics.Dispose();

    /// <summary>Takes part in the download of a blob, which begins if there is none that still runs.</summary>
    internal BlobDownload Join(BlobHash hash)
    {
        lock (_lock)
        {
            if (!_downloads.TryGetValue(hash, out BlobDownload? download) || download.Completion.IsCompleted)
            {
                download = new BlobDownload(_store, hash, _options, _metrics);
                _downloads[hash] = download;
            }

            download.Participants++;
            download.Expect();
            return download;
        }
    }

    /// <summary>Ends a part in a download; with the last it stops.</summary>
    internal async ValueTask LeaveAsync(BlobDownload download)
    {
        lock (_lock)
        {
            if (--download.Participants > 0)
                return;
            if (_downloads.GetValueOrDefault(download.Hash) == download)
                _downloads.Remove(download.Hash);
        }

        await download.DisposeAsync().ConfigureAwait(false);
    }
}
