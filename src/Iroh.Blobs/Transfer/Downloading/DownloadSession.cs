using Iroh.Blobs.Formats;
using Iroh.Blobs.Store;
using Iroh.Blobs.Transfer.Receiving;

namespace Iroh.Blobs.Transfer.Downloading;

/// <summary>One call for content: it brings its sources to the downloads of the blobs that it needs, and reports on all of them.</summary>
/// <param name="downloader">Where downloads are shared.</param>
/// <param name="store">Where to.</param>
/// <param name="options">How.</param>
/// <param name="content">What.</param>
/// <param name="progress">Who is told.</param>
internal sealed class DownloadSession(
    BlobDownloader downloader, IBlobStore store, BlobTransferOptions options, HashAndFormat content, IProgress<DownloadProgress>? progress)
{
    /// <summary>How often progress is told: often enough for a bar to move, seldom beside the pieces.</summary>
    private static readonly TimeSpan ProgressInterval = TimeSpan.FromMilliseconds(200);

    private readonly Lock _lock = new();
    private readonly List<IBlobSource> _sources = [];
    private readonly List<BlobDownload> _attached = [];
    private readonly Dictionary<string, SourceProgress> _finished = [];
    private bool _sourcesEnded;
    private long _finishedBytes;

    /// <summary>Gets the content.</summary>
    public async Task RunAsync(IAsyncEnumerable<IBlobSource> sources, CancellationToken cancellationToken)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task feeding = Task.Run(() => FeedAsync(sources, ended.Token), CancellationToken.None);
        Task reporting = progress is null ? Task.CompletedTask : ReportAsync(ended.Token);
        try
        {
            await GetAsync(content.Hash, cancellationToken).ConfigureAwait(false);
            if (content.Format == BlobFormat.HashSequence)
                await GetChildrenAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await ended.CancelAsync().ConfigureAwait(false);
            await reporting.ConfigureAwait(false);
            await feeding.ConfigureAwait(false);
            progress?.Report(Look());
        }
    }

    private async Task GetChildrenAsync(CancellationToken cancellationToken)
    {
        HashSequence children = await HashSequences.ReadAsync(
            store, content.Hash, "", options.HashSequenceLengthMax, cancellationToken).ConfigureAwait(false);
        await Parallel.ForEachAsync(
            children.Distinct(),
            new ParallelOptions { MaxDegreeOfParallelism = options.ChildrenAtOnce, CancellationToken = cancellationToken },
            async (child, cancel) => await GetAsync(child, cancel).ConfigureAwait(false)).ConfigureAwait(false);
    }

    private async Task GetAsync(BlobHash hash, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (!hash.IsEmpty && !store.GetStatus(hash).IsComplete)
        {
            BlobDownload download = downloader.Join(hash);
            Attach(download);
            try
            {
                await download.Completion.WaitAsync(cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                Detach(download);
                await downloader.LeaveAsync(download).ConfigureAwait(false);
            }
        }

        lock (_lock)
            _finishedBytes += store.GetStatus(hash).Size ?? 0;
    }

    /// <summary>Brings the sources to the downloads as they come.</summary>
    private async Task FeedAsync(IAsyncEnumerable<IBlobSource> sources, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (IBlobSource source in sources.WithCancellation(cancellationToken).ConfigureAwait(false))
            {
                lock (_lock)
                {
                    _sources.Add(source);
                    foreach (BlobDownload download in _attached)
                        download.AddSource(source);
                }
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Everything is here, or nobody wants it any more.
        }
        finally
        {
            BlobDownload[] attached;
            lock (_lock)
            {
                _sourcesEnded = true;
                attached = [.. _attached];
            }

            foreach (BlobDownload download in attached)
                download.EndExpecting();
        }
    }

    private void Attach(BlobDownload download)
    {
        bool ended;
        lock (_lock)
        {
            _attached.Add(download);
            foreach (IBlobSource source in _sources)
            {
                // One that misbehaved for another blob of this call is not asked again.
                if (_finished.GetValueOrDefault(source.Name)?.Failure?.Failure is null or BlobTransferFailure.NotFound)
                    download.AddSource(source);
            }

            ended = _sourcesEnded;
        }

        if (ended)
            download.EndExpecting();
    }

    private void Detach(BlobDownload download)
    {
        bool ended;
        lock (_lock)
        {
            ended = _sourcesEnded;
            _attached.Remove(download);
            foreach (SourceProgress source in download.Look().Sources)
                _finished[source.Name] = Merge(_finished.GetValueOrDefault(source.Name), source);
        }

        // Otherwise the end of the sources has said it.
        if (!ended)
            download.EndExpecting();
    }

    private async Task ReportAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(ProgressInterval, options.TimeProvider);
        try
        {
            while (await timer.WaitForNextTickAsync(cancellationToken).ConfigureAwait(false))
                progress!.Report(Look());
        }
        catch (OperationCanceledException)
        {
            // The last report is made by whoever ended this.
        }
    }

    private DownloadProgress Look()
    {
        lock (_lock)
        {
            long present = _finishedBytes, total = _finishedBytes;
            var sources = new Dictionary<string, SourceProgress>(_finished.Count);
            foreach (IBlobSource source in _sources)
                sources[source.Name] = _finished.GetValueOrDefault(source.Name) ?? new SourceProgress(source.Name, 0, 0, BlobSourceState.Waiting, null);
            foreach (BlobDownload download in _attached)
            {
                (long here, long size, IReadOnlyList<SourceProgress> now) = download.Look();
                (present, total) = (present + here, total + size);
                foreach (SourceProgress source in now)
                    sources[source.Name] = Merge(sources.GetValueOrDefault(source.Name), source);
            }

            return new DownloadProgress(content.Hash, present, total, [.. sources.Values]);
        }
    }

    /// <summary>A source in several blobs: dropped for one blob it may still be of use for another, unless it misbehaved.</summary>
    private static SourceProgress Merge(SourceProgress? sum, SourceProgress one)
    {
        if (sum is null)
            return one;
        BlobTransferException? failure = one.Failure ?? (sum.Failure is { Failure: not BlobTransferFailure.NotFound } bad ? bad : null);
        return new SourceProgress(
            one.Name, sum.Bytes + one.Bytes, Math.Max(sum.BytesPerSecond, one.BytesPerSecond),
            failure is not null ? BlobSourceState.Dropped : one.State, failure);
    }
}
