using Iroh.Base;
using Iroh.Blobs;

namespace Iroh.Docs;

/// <summary>
/// The contents that documents want: which are on their way, which wait for their turn, and which nobody is known to have. Thread-safe.
/// </summary>
internal sealed class ContentDownloads : IAsyncDisposable
{
    /// <summary>The most contents that are remembered. What comes beyond is not fetched by itself; a hash and its peers take some 300 bytes.</summary>
    private const int WantedMax = 100_000;

    /// <summary>The most peers that are tried for one content.</summary>
    private const int ProvidersMax = 16;

    private readonly Lock _gate = new();
    private readonly Dictionary<BlobHash, Wanted> _wanted = [];
    private readonly Queue<Wanted> _queue = new();

    // How many contents that a document wants are on their way or wait for their turn; without those that have none.
    private readonly Dictionary<NamespaceId, int> _busy = [];
    private readonly HashSet<Task> _running = [];
    private readonly CancellationTokenSource _stopping = new();
    private readonly IContentFetcher _fetcher;
    private readonly int _runningMax;
    private readonly Action<NamespaceId, BlobHash> _onReady;
    private readonly Action<NamespaceId> _onSettled;

    /// <summary>Starts with nothing to do.</summary>
    /// <param name="fetcher">Brings one content.</param>
    /// <param name="runningMax">How many at once.</param>
    /// <param name="onReady">A content that a document wants is here.</param>
    /// <param name="onSettled">Nothing that a document wants is on its way any more.</param>
    internal ContentDownloads(IContentFetcher fetcher, int runningMax, Action<NamespaceId, BlobHash> onReady, Action<NamespaceId> onSettled)
    {
        _fetcher = fetcher;
        _runningMax = runningMax;
        _onReady = onReady;
        _onSettled = onSettled;
    }

    private enum Progress
    {
        NobodyHasIt,
        Queued,
        Running,
    }

    /// <summary>Remembers that a document wants a content, and fetches it if somebody is known to have it.</summary>
    internal void Want(NamespaceId document, BlobHash content, EndpointAddress? provider)
    {
        lock (_gate)
        {
            if (!_wanted.TryGetValue(content, out Wanted? wanted))
            {
                if (_wanted.Count == WantedMax)
                    return;
                _wanted[content] = wanted = new Wanted(content);
            }

            if (wanted.Documents.Add(document) && wanted.Progress != Progress.NobodyHasIt)
                CountBusy(document, 1);
            Offer(wanted, provider);
            StartSome();
        }
    }

    /// <summary>Somebody has a content. Without effect unless it is wanted.</summary>
    internal void AddProvider(BlobHash content, EndpointAddress provider)
    {
        lock (_gate)
        {
            if (_wanted.TryGetValue(content, out Wanted? wanted))
                Offer(wanted, provider);
            StartSome();
        }
    }

    /// <summary>Somebody just synced a document: perhaps it has what nobody had.</summary>
    internal void AddProviderOfMissing(NamespaceId document, EndpointAddress provider)
    {
        lock (_gate)
        {
            foreach (Wanted wanted in _wanted.Values)
            {
                if (wanted.Progress == Progress.NobodyHasIt && wanted.Documents.Contains(document))
                    Offer(wanted, provider);
            }

            StartSome();
        }
    }

    /// <summary>Whether a content that the document wants is on its way or waits for its turn.</summary>
    internal bool IsBusy(NamespaceId document)
    {
        lock (_gate)
            return _busy.ContainsKey(document);
    }

    /// <summary>A document wants nothing any more.</summary>
    internal void Forget(NamespaceId document)
    {
        lock (_gate)
        {
            foreach (Wanted wanted in _wanted.Values.ToList())
            {
                if (!wanted.Documents.Remove(document))
                    continue;
                if (wanted.Progress != Progress.NobodyHasIt)
                    CountBusy(document, -1);
                else if (wanted.Documents.Count == 0)
                    _wanted.Remove(wanted.Content);
            }
        }
    }

    /// <summary>Gives up what is on its way and waits for its end.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        Task[] running;
        lock (_gate)
            running = [.. _running];
        await Task.WhenAll(running).ConfigureAwait(false);
        _stopping.Dispose();
    }

    private void Offer(Wanted wanted, EndpointAddress? provider)
    {
        if (provider is null || !wanted.TryAdd(provider) || wanted.Progress != Progress.NobodyHasIt)
            return;
        wanted.Progress = Progress.Queued;
        _queue.Enqueue(wanted);
        foreach (NamespaceId document in wanted.Documents)
            CountBusy(document, 1);
    }

    private void CountBusy(NamespaceId document, int change)
    {
        int count = _busy.GetValueOrDefault(document) + change;
        if (count == 0)
            _busy.Remove(document);
        else
            _busy[document] = count;
    }

    private void StartSome()
    {
        while (_running.Count < _runningMax && !_stopping.IsCancellationRequested && _queue.TryDequeue(out Wanted? wanted))
        {
            wanted.Progress = Progress.Running;
            EndpointAddress[] providers = wanted.TakeProviders();
            // The task takes itself out, which it can only do after it was put in: both hold the lock.
            Task<Task> fetch = new(() => FetchAsync(wanted, providers));
            Task run = fetch.Unwrap();
            _running.Add(run);
            _ = run.ContinueWith(Leave, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
            fetch.Start(TaskScheduler.Default);
        }
    }

    private void Leave(Task run)
    {
        lock (_gate)
        {
            _running.Remove(run);
            if (!_stopping.IsCancellationRequested)
                StartSome();
        }
    }

    private async Task FetchAsync(Wanted wanted, EndpointAddress[] providers)
    {
        bool fetched = false;
        try
        {
            await _fetcher.FetchAsync(wanted.Content, providers, _stopping.Token).ConfigureAwait(false);
            fetched = true;
        }
        catch (Exception)
        {
            // Why is the fetcher's to tell. The content stays wanted until somebody else is known to have it.
        }

        NamespaceId[] documents;
        lock (_gate)
        {
            documents = [.. wanted.Documents];
            bool again = !fetched && documents.Length > 0 && wanted.HasProviders;
            wanted.Progress = again ? Progress.Queued : Progress.NobodyHasIt;
            if (again)
                _queue.Enqueue(wanted);
            else
            {
                foreach (NamespaceId document in documents)
                    CountBusy(document, -1);
            }

            if (fetched || documents.Length == 0)
                _wanted.Remove(wanted.Content);
        }

        if (_stopping.IsCancellationRequested)
            return;
        foreach (NamespaceId document in documents)
        {
            if (fetched)
                _onReady(document, wanted.Content);
            if (!IsBusy(document))
                _onSettled(document);
        }
    }

    private sealed class Wanted(BlobHash content)
    {
        private readonly List<EndpointAddress> _providers = [];

        internal BlobHash Content { get; } = content;

        internal HashSet<NamespaceId> Documents { get; } = [];

        internal Progress Progress { get; set; }

        internal bool HasProviders => _providers.Count > 0;

        internal bool TryAdd(EndpointAddress provider)
        {
            if (_providers.Count == ProvidersMax || _providers.Any(known => known.Id == provider.Id))
                return false;
            _providers.Add(provider);
            return true;
        }

        internal EndpointAddress[] TakeProviders()
        {
            EndpointAddress[] providers = [.. _providers];
            _providers.Clear();
            return providers;
        }
    }
}
