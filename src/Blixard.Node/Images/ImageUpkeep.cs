using Blixard.Cluster.Liveness;
using Blixard.Cluster.Store;
using Blixard.Images;
using Blixard.Images.Catalogue;
using Blixard.Node.Events;
using Blixard.Node.Liveness;
using Blixard.Node.Membership;
using Blixard.V1;
using Iroh.Blobs;

namespace Blixard.Node.Images;

/// <summary>
/// Follows the catalogue, and keeps this node's part true: says which images it holds, fetches those that are to be on more nodes, and removes
/// those that have no name any more. Does it whenever the catalogue, the images here or the
/// members that live change, and now and then besides.
/// </summary>
internal sealed class ImageUpkeep : IAsyncDisposable
{
    // What failed is tried again, and what nobody told of is noticed.
    private static readonly TimeSpan LookInterval = TimeSpan.FromMinutes(1);

    // Content that nothing holds costs room and nothing else; looking for it reads the whole index.
    private static readonly TimeSpan CollectInterval = TimeSpan.FromHours(1);

    // An image that has had no name since this node started may be one of a cluster store that is being restored.
    private static readonly TimeSpan NamePatience = TimeSpan.FromDays(1);

    // Many changes at once, as when a cluster starts, are one.
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);

    private readonly NodeSelf _self;
    private readonly NodeCluster _cluster;
    private readonly NodeImages _images;
    private readonly NodeLiveness _liveness;
    private readonly Func<bool> _isLeaving;
    private readonly NodeEventHub _events;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stopping = new();
    private readonly WakeSignal _due = new();
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly Task _loops;
    private readonly long _started;
    private CancellationTokenSource? _working;
    private BlobHash? _warned;
    private bool _isKnown;

    public ImageUpkeep(
        NodeSelf self, NodeCluster cluster, NodeImages images, NodeLiveness liveness, Func<bool> isLeaving, NodeEventHub events, TimeProvider time)
    {
        (_self, _cluster, _images, _liveness, _isLeaving, _events, _time) = (self, cluster, images, liveness, isLeaving, events, time);
        _started = time.GetTimestamp();
        _liveness.Changed += _due.Wake;
        _images.Changed += _due.Wake;
        _loops = Task.WhenAll(Task.Run(() => UntilStoppedAsync(FollowAsync)), Task.Run(() => UntilStoppedAsync(WorkAsync)));
    }

    /// <summary>Ends what is under way, such as a fetch, and returns when it has ended. A node that leaves begins nothing anew.</summary>
    public async Task EndTurnAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (Volatile.Read(ref _working) is { } working)
                await working.CancelAsync().ConfigureAwait(false);
        }
        catch (ObjectDisposedException)
        {
            // It ended by itself.
        }

        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        _turn.Release();
    }

    public async ValueTask DisposeAsync()
    {
        _liveness.Changed -= _due.Wake;
        _images.Changed -= _due.Wake;
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _loops.ConfigureAwait(false);
        _stopping.Dispose();
    }

    private async Task UntilStoppedAsync(Func<CancellationToken, Task> loop)
    {
        try
        {
            await loop(_stopping.Token).ConfigureAwait(false);
        }
        catch (Exception e) when ((e is OperationCanceledException or ObjectDisposedException) && _stopping.IsCancellationRequested)
        {
            // Disposed, and the store with the node.
        }
    }

    private async Task FollowAsync(CancellationToken cancellationToken)
    {
        await foreach (IReadOnlyList<ImageRecord> images in _cluster.Images.FollowAsync(_time, cancellationToken).ConfigureAwait(false))
        {
            _images.Known = images;
            Volatile.Write(ref _isKnown, true);
            _due.Wake();
        }
    }

    private async Task WorkAsync(CancellationToken cancellationToken)
    {
        long collected = _time.GetTimestamp();
        while (true)
        {
            await _due.WaitAsync(LookInterval, _time, cancellationToken).ConfigureAwait(false);
            await Task.Delay(Pause, _time, cancellationToken).ConfigureAwait(false);
            if (!Volatile.Read(ref _isKnown))
                continue;
            bool isTime = _time.GetElapsedTime(collected) >= CollectInterval;
            if (isTime)
                collected = _time.GetTimestamp();
            await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
            using var working = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            Volatile.Write(ref _working, working);
            try
            {
                if (!_isLeaving())
                    await KeepUpAsync(isTime, working.Token).ConfigureAwait(false);
            }
            catch (Exception e) when (e is StoreUnavailableException or RecordException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
            {
                // The next look makes up for it; or this node leaves.
            }
            catch (IOException e)
            {
                _events.Publish(new WarningEvent($"The images of this node could not be looked after: {e.Message}"));
            }
            finally
            {
                Volatile.Write(ref _working, null);
                _turn.Release();
            }
        }
    }

    private async Task KeepUpAsync(bool collects, CancellationToken cancellationToken)
    {
        await NoteHoldersAsync(cancellationToken).ConfigureAwait(false);
        await ReplicateAsync(cancellationToken).ConfigureAwait(false);
        await RemoveUnnamedAsync(cancellationToken).ConfigureAwait(false);
        if (collects)
            await _images.Store.CollectAsync(withUnfinished: false, cancellationToken).ConfigureAwait(false);
    }

    // The catalogue says what this node holds.
    private async Task NoteHoldersAsync(CancellationToken cancellationToken)
    {
        foreach (ImageRecord record in _images.Known)
        {
            bool isHere = _images.Store.TryGet(new BlobHash(record.Hash.Span), out _);
            if (isHere == record.Nodes.Contains(_self.Name))
                continue;
            string reference = $"{record.Name}:{record.Tag}";
            if (isHere)
                await _cluster.Images.AddHolderAsync(reference, record.Hash.Memory, _self.Name, cancellationToken).ConfigureAwait(false);
            else
                await _cluster.Images.RemoveHolderAsync(reference, _self.Name, cancellationToken).ConfigureAwait(false);
        }
    }

    // There are as many copies as were wished for.
    private async Task ReplicateAsync(CancellationToken cancellationToken)
    {
        LivenessView liveness = _liveness.Current;
        string[] alive =
        [
            .. _cluster.Directory.Current.Where(pair => pair.Key != _self.Id && liveness.Alive.ContainsKey(pair.Key)).Select(pair => pair.Value.Node.Name),
            _self.Name,
        ];
        foreach (ImageRecord record in _images.Known.Where(record => record.Copies > 0))
        {
            BlobHash hash = new(record.Hash.Span);
            if (!ReplicationPlan.ShouldFetch(hash, (int)Math.Min(record.Copies, CatalogueImage.CopiesMax), alive, record.Nodes.ToHashSet(StringComparer.Ordinal), _self.Name))
                continue;
            try
            {
                await _images.PullAsync(record.Clone(), null, cancellationToken).ConfigureAwait(false);
                _warned = null;
            }
            catch (Exception e) when (e is IOException or ImageException)
            {
                // Once for each image is enough, however often it is tried.
                if (_warned != hash)
                    _events.Publish(new WarningEvent($"This node should hold a copy of {record.Name}:{record.Tag}, which could not be fetched: {e.Message}"));
                _warned = hash;
            }
        }
    }

    // What nobody can name any more and no VM uses is of no use.
    private async Task RemoveUnnamedAsync(CancellationToken cancellationToken)
    {
        HashSet<BlobHash> named = HashesOf(_images.Known);
        _images.Store.ForgetPulls(named.Contains);
        bool isPatienceOver = _time.GetElapsedTime(_started) >= NamePatience;
        BlobHash[] unnamed = [.. _images.Store.Images.Select(image => image.Hash).Where(image => !named.Contains(image) && (isPatienceOver || _images.WasNamed(image)))];
        if (unnamed.Length == 0 || _images.IsAdding)
            return;
        // What is here now was named before this is asked, or is named no more.
        named = HashesOf(await _cluster.Images.ListAsync(cancellationToken).ConfigureAwait(false));
        foreach (BlobHash image in unnamed.Where(image => !named.Contains(image)))
            await _images.TryRemoveAsync(image).ConfigureAwait(false);
    }

    private static HashSet<BlobHash> HashesOf(IEnumerable<ImageRecord> records) => [.. records.Select(record => new BlobHash(record.Hash.Span))];
}
