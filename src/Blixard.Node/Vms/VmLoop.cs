using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Threading.Channels;
using Blixard.Cluster.Store;
using Blixard.Images;
using Blixard.MicroVm.Hosting;
using Blixard.MicroVm.Model;
using Blixard.Node.Events;
using Blixard.Node.Images;
using Blixard.Node.Liveness;
using Blixard.Node.Membership;
using Blixard.V1;
using Google.Protobuf.WellKnownTypes;
using Iroh.Blobs;
using ImageProgress = Blixard.Images.ImageProgress;
using VmSpec = Blixard.MicroVm.Model.VmSpec;
using VmState = Blixard.MicroVm.Model.VmState;
using VmStatus = Blixard.MicroVm.Model.VmStatus;

namespace Blixard.Node.Vms;

/// <summary>Makes this machine's VMs what the records want, and records what they are. VMs go on running when it is disposed.</summary>
internal sealed class VmLoop : IAsyncDisposable
{
    // How long a report waits that the store could not take: the state is kept and told as soon as it answers.
    private static readonly TimeSpan ReportDelay = TimeSpan.FromSeconds(1);

    // How often a start that waits for the store or for the node's lease asks again.
    private static readonly TimeSpan PermitDelay = TimeSpan.FromMilliseconds(250);

    private readonly NodeSelf _self;
    private readonly NodeCluster _cluster;
    private readonly NodeImages _images;
    private readonly NodeLease _lease;
    private readonly NodeEventHub _events;
    private readonly string _vmsDirectory;
    private readonly TimeProvider _time;
    private readonly ConcurrentDictionary<string, string> _fetching = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, bool> _unreported = new(StringComparer.Ordinal);
    private readonly Channel<bool> _reports = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly CancellationTokenSource _stopping = new();
    private ImmutableDictionary<string, VmIntent> _intents = ImmutableDictionary<string, VmIntent>.Empty;
    private Task _loops = Task.CompletedTask;
    private readonly Lock _applying = new();
    private VmHost? _host;
    private bool _isEnding;
    private bool _isKnown;

    public VmLoop(
        NodeSelf self, NodeCluster cluster, NodeImages images, NodeLease lease, NodeEventHub events, string vmsDirectory, TimeProvider time)
    {
        (_self, _cluster, _images, _lease, _events, _vmsDirectory, _time) = (self, cluster, images, lease, events, vmsDirectory, time);
        lease.Changed += OnLeaseChanged;
    }

    /// <summary>The host of this machine's VMs.</summary>
    public VmHost Host => _host ?? throw new InvalidOperationException("the loop has not been started");

    /// <summary>The names of the VMs that run now.</summary>
    public IReadOnlyList<string> Running =>
        [.. (_host?.GetStatuses() ?? []).Where(status => status.State is VmState.Running or VmState.Starting).Select(status => status.Name)];

    /// <summary>The names of those of them that may move to another node.</summary>
    public IReadOnlyList<string> RunningMovable
    {
        get
        {
            ImmutableDictionary<string, VmIntent> intents = Volatile.Read(ref _intents);
            return [.. Running.Where(name => intents.TryGetValue(name, out VmIntent? intent) && VmSpecs.IsMovable(intent))];
        }
    }

    /// <summary>Whether this node owns VMs that may move.</summary>
    public bool HasMovable => Volatile.Read(ref _intents).Values.Any(VmSpecs.IsMovable);

    /// <summary>Begins with a host whose <see cref="VmHostOptions.Prepare"/> is <see cref="PrepareAsync"/>; owns it from now on.</summary>
    public void Start(VmHost host)
    {
        _host = host;
        _loops = Task.WhenAll(
            Task.Run(() => UntilStoppedAsync(ApplyAsync)), Task.Run(() => UntilStoppedAsync(FollowAsync)), Task.Run(() => UntilStoppedAsync(ReportAsync)));
    }

    /// <summary>Fetches what a VM needs before a start.</summary>
    public async ValueTask<VmSpec> PrepareAsync(DesiredVm wish, CancellationToken cancellationToken)
    {
        string name = wish.Spec.Name;
        try
        {
            LocalImage image = await GetImageAsync(name, wish.Spec.KernelPath, cancellationToken).ConfigureAwait(false);
            return wish.Spec with
            {
                KernelPath = image.KernelPath,
                InitramfsPath = image.InitramfsPath,
                Disks = [.. image.DiskPaths.Select((path, index) => new VmDisk(OwnDisk(name, path, index)))],
                KernelArguments =
                [
                    .. image.Manifest.KernelArguments.Split(' ', StringSplitOptions.RemoveEmptyEntries), .. wish.Spec.KernelArguments,
                ],
            };
        }
        finally
        {
            _fetching.TryRemove(name, out _);
        }
    }

    /// <summary>
    /// Waits until a VM that may move may start. The order makes it safe: first the guard's generation, then the store is asked whether this node
    /// owns the VM. As long as that generation holds, this node's alive key has not been absent, so nobody has moved the VM since.
    /// </summary>
    public async ValueTask<long> PermitAsync(DesiredVm wish, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                if (await _lease.TryPermitAsync(cancellationToken).ConfigureAwait(false) is { } generation)
                {
                    return await _cluster.Vms.IsOwnerAsync(wish.Spec.Name, _self.Name, (ulong)wish.Epoch, cancellationToken).ConfigureAwait(false)
                        ? generation
                        : throw new VmException(VmFailure.StartFailed, "it was removed or belongs to another node meanwhile");
                }
            }
            catch (StoreUnavailableException)
            {
                // Without the store's word it does not start. When the lease ends too, the start is given up.
            }

            await Task.Delay(PermitDelay, _time, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Stops and removes all VMs of this machine, and waits until they are gone.</summary>
    public Task EndAllAsync(CancellationToken cancellationToken)
    {
        lock (_applying)
            _isEnding = true;
        return Host.RemoveAllAsync(cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        _lease.Changed -= OnLeaseChanged;
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _loops.ConfigureAwait(false);
        if (_host is not null)
            await _host.DisposeAsync().ConfigureAwait(false);
        _stopping.Dispose();
    }

    private async Task<LocalImage> GetImageAsync(string vm, string image, CancellationToken cancellationToken)
    {
        (string name, BlobHash? known) = VmSpecs.ReadImage(image);
        BlobHash hash = known ?? new BlobHash((await _images.FindAsync(name, cancellationToken).ConfigureAwait(false)).Hash.Span);
        _images.Pin(vm, hash);
        return await _images.EnsureAsync(hash, new FetchProgress(this, vm, name), cancellationToken).ConfigureAwait(false);
    }

    // A VM writes to its disks, and the image's are shared: it gets a copy of its own at its first start, which goes with it.
    private string OwnDisk(string name, string imageDisk, int index)
    {
        string path = Path.Combine(_vmsDirectory, name, $"disk{index}.raw");
        if (File.Exists(path))
            return path;
        string temporary = path + ".new";
        File.Copy(imageDisk, temporary, overwrite: true);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(temporary, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.Move(temporary, path);
        return path;
    }

    private async Task UntilStoppedAsync(Func<CancellationToken, Task> loop)
    {
        try
        {
            await loop(_stopping.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // Disposed.
        }
        catch (ObjectDisposedException) when (_stopping.IsCancellationRequested)
        {
            // The store was disposed with the node.
        }
    }

    private async Task ApplyAsync(CancellationToken cancellationToken)
    {
        await foreach (IReadOnlyList<VmIntent> intents in _cluster.Vms.WatchOwnedAsync(_self.Name, cancellationToken).ConfigureAwait(false))
        {
            foreach (string gone in _intents.Keys.Except(intents.Select(intent => intent.Spec.Name)))
                _images.Unpin(gone);
            foreach (VmIntent intent in intents)
            {
                if (VmSpecs.ReadImage(VmSpecs.ToHost(intent.Spec).KernelPath).Hash is { } image)
                    _images.Pin(intent.Spec.Name, image);
            }

            lock (_applying)
            {
                Volatile.Write(ref _intents, intents.ToImmutableDictionary(intent => intent.Spec.Name, StringComparer.Ordinal));
                _isKnown = true;
                Apply();
            }

            foreach (VmIntent intent in intents)
                MarkUnreported(intent.Spec.Name);
        }
    }

    private void OnLeaseChanged()
    {
        string? hold = _lease.Hold;
        lock (_applying)
            Apply();
        if (hold is not null && HasMovable)
            _events.Publish(new WarningEvent($"VMs that may move are stopped: {hold}."));
        foreach (string name in Volatile.Read(ref _intents).Keys)
            MarkUnreported(name);
    }

    // Before the records are known for the first time nothing is wanted and nothing unwanted.
    private void Apply()
    {
        if (!_isEnding && _isKnown)
            Host.Apply(_intents.Values.Select(intent => VmSpecs.ToDesired(intent, _lease.Hold)));
    }

    private async Task FollowAsync(CancellationToken cancellationToken)
    {
        var last = new Dictionary<string, (VmState State, string Reason)>(StringComparer.Ordinal);
        await foreach (VmStatus status in Host.WatchAsync(cancellationToken).ConfigureAwait(false))
        {
            if (!last.TryGetValue(status.Name, out (VmState State, string Reason) before) || before != (status.State, status.Reason))
                _events.Publish(new VmStateEvent(status.Name, status.State.ToString().ToLowerInvariant(), status.Reason));
            last[status.Name] = (status.State, status.Reason);
            MarkUnreported(status.Name);
        }
    }

    private void MarkUnreported(string name)
    {
        _unreported[name] = true;
        _reports.Writer.TryWrite(true);
    }

    private async Task ReportAsync(CancellationToken cancellationToken)
    {
        while (await _reports.Reader.WaitToReadAsync(cancellationToken).ConfigureAwait(false))
        {
            _reports.Reader.TryRead(out _);
            foreach (string name in _unreported.Keys)
            {
                _unreported.TryRemove(name, out _);
                if (await TryReportAsync(name, cancellationToken).ConfigureAwait(false))
                    continue;
                await Task.Delay(ReportDelay, _time, cancellationToken).ConfigureAwait(false);
                MarkUnreported(name);
            }
        }
    }

    private async Task<bool> TryReportAsync(string name, CancellationToken cancellationToken)
    {
        if (!Volatile.Read(ref _intents).TryGetValue(name, out VmIntent? intent) || Host.GetStatus(name) is not { } status)
            return true;
        // An instance of another epoch is on its way out; what follows it is reported.
        if (status.Epoch != (long)intent.Epoch && status.State is not VmState.Created)
            return true;
        try
        {
            await _cluster.Vms.ReportAsync(name, ToRecord(status, intent), cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (RecordException)
        {
            // Removed or owned by another meanwhile: its watch tells.
            return true;
        }
        catch (StoreUnavailableException)
        {
            return false;
        }
    }

    private V1.VmStatus ToRecord(VmStatus status, VmIntent intent)
    {
        string reason = status.State == VmState.Starting && _fetching.TryGetValue(status.Name, out string? fetching) ? fetching : status.Reason;
        var record = new V1.VmStatus
        {
            State = status.State switch
            {
                // It is down for this node's sake, not by its own or a user's will, and comes up again.
                VmState.Stopped when status.Exit?.Kind == VmExitKind.Fenced && intent.Spec.Desired != DesiredState.Stopped => V1.VmState.Starting,
                VmState.Created => V1.VmState.Created,
                VmState.Starting => V1.VmState.Starting,
                VmState.Running => V1.VmState.Running,
                VmState.Stopping => V1.VmState.Stopping,
                VmState.Stopped => V1.VmState.Stopped,
                _ => V1.VmState.Failed,
            },
            Reason = reason,
            Node = _self.Name,
            Restarts = (uint)status.Restarts,
            Epoch = intent.Epoch,
            Acceleration = status.State == VmState.Running ? status.Acceleration ?? "" : "",
        };
        if (status.StartedAt is { } started)
            record.StartedAt = Timestamp.FromDateTimeOffset(started);
        if (status.StoppedAt is { } stopped)
            record.FinishedAt = Timestamp.FromDateTimeOffset(stopped);
        record.Since = record.FinishedAt ?? record.StartedAt ?? intent.CreatedAt;
        return record;
    }

    /// <summary>Shows a fetch in the VM's state: whole percents, so that the store sees few of them.</summary>
    private sealed class FetchProgress(VmLoop loop, string name, string reference) : IProgress<ImageProgress>
    {
        private const int StepPercent = 5;

        private long _shown = -1;

        public void Report(ImageProgress value)
        {
            long step = value.TotalBytes > 0 ? value.DoneBytes * 100 / value.TotalBytes / StepPercent : 0;
            if (Interlocked.Exchange(ref _shown, step) == step)
                return;
            string from = string.Join(", ", value.Sources.Where(source => source.Trouble is null && source.Bytes > 0).Select(source => source.Name));
            loop._fetching[name] = $"fetching image {reference}{(from.Length > 0 ? $" from {from}" : "")}: {step * StepPercent} %";
            loop.MarkUnreported(name);
        }
    }
}
