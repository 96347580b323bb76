using Blixard.MicroVm.Hosting;
using Blixard.MicroVm.Model;
using Blixard.Testing.Basics;
using Iroh.Cryptography;

namespace Blixard.MicroVm.Tests.Hosting;

/// <summary>The host over a simulated machine and a clock that is moved by hand.</summary>
public sealed class VmHostTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly SimulatedMachine _machine = new();
    private readonly ManualTimeProvider _time = new();
    private readonly CancellationTokenSource _limit = new(TimeSpan.FromSeconds(60));

    public void Dispose()
    {
        Assert.Empty(_machine.Violations);
        _limit.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task A_VM_is_created_started_stopped_and_removed()
    {
        await using VmHost host = await OpenAsync();
        host.Apply([Want("web") with { Running = false }]);
        VmStatus created = await UntilAsync(host, "web", VmState.Created);
        Assert.Equal((null, null, 0), (created.Pid, created.StartedAt, created.Restarts));

        host.Apply([Want("web") with { Epoch = 3, Generation = 1 }]);
        VmStatus running = await UntilAsync(host, "web", VmState.Running);
        Assert.Equal((1, "simulated", 3L, 1L), (running.Pid, running.Acceleration, running.Epoch, running.Generation));
        Assert.Equal(_time.GetUtcNow(), running.StartedAt);

        host.Apply([Want("web") with { Epoch = 3, Generation = 1, Running = false }]);
        VmStatus stopped = await UntilAsync(host, "web", VmState.Stopped);
        Assert.Equal(("stopped: asked", VmExitKind.Stopped, null), (stopped.Reason, stopped.Exit?.Kind, stopped.Pid));

        host.Apply([]);
        await UntilAsync(() => host.GetStatus("web") is null);
        Assert.Equal(["web"], _machine.Removed);
        Assert.False(Directory.Exists(_directory.File("vms/web")));
    }

    [Fact]
    public async Task Nothing_is_touched_before_it_is_known_what_is_wanted()
    {
        await using (VmHost before = await OpenAsync())
        {
            before.Apply([Want("web")]);
            await UntilAsync(before, "web", VmState.Running);
        }

        await using VmHost host = await OpenAsync();
        VmStatus found = host.GetStatus("web")!;
        Assert.Equal((VmState.Running, "running; found again when the node started"), (found.State, found.Reason));
        host.Apply([Want("web")]);
        host.Apply([Want("web"), Want("other")]);
        await UntilAsync(host, "other", VmState.Running);
        Assert.Equal(2, _machine.Started);
    }

    [Fact]
    public async Task A_guest_that_fails_is_started_again_after_longer_and_longer_waits()
    {
        await using VmHost host = await OpenAsync();
        host.Apply([Want("web")]);
        foreach (int seconds in new[] { 1, 2, 4, 8 })
        {
            await UntilAsync(host, "web", VmState.Running);
            _machine.End("web", VmExitKind.Crashed);
            VmStatus failed = await UntilAsync(host, "web", VmState.Failed);
            Assert.Equal("it ended: Crashed", failed.Reason);
            Assert.Equal(_time.GetUtcNow().AddSeconds(seconds), failed.RestartAt);
            int started = _machine.Started;
            _time.Advance(TimeSpan.FromSeconds(seconds) - TimeSpan.FromMilliseconds(1));
            Assert.Equal(VmState.Failed, host.GetStatus("web")!.State);
            Assert.Equal(started, _machine.Started);
            await AdvanceUntilAsync(TimeSpan.FromSeconds(1), () => host.GetStatus("web")!.State == VmState.Running);
        }

        Assert.Equal(4, host.GetStatus("web")!.Restarts);
    }

    [Fact]
    public async Task A_guest_that_powers_itself_off_stays_off_until_somebody_starts_it()
    {
        await using VmHost host = await OpenAsync();
        host.Apply([Want("web")]);
        await UntilAsync(host, "web", VmState.Running);
        _machine.End("web", VmExitKind.GuestPoweredOff);
        VmStatus off = await UntilAsync(host, "web", VmState.Stopped);
        Assert.Null(off.RestartAt);
        host.Apply([Want("web") with { Generation = 1 }]);
        Assert.Equal(0, (await UntilAsync(host, "web", VmState.Running)).Restarts);
    }

    [Fact]
    public async Task An_image_that_cannot_be_fetched_is_a_failed_start_that_is_repeated()
    {
        int calls = 0;
        await using VmHost host = await OpenAsync(new VmHostOptions
        {
            DataDirectory = _directory.Path,
            TimeProvider = _time,
            Prepare = (wish, _) => ++calls == 1
                ? throw new IOException("no member has the image")
                : ValueTask.FromResult(wish.Spec with { KernelPath = "/fetched" }),
        });
        string kernel = "";
        _machine.BeforeStart = (launch, _) => Task.FromResult(kernel = launch.Spec.KernelPath);
        host.Apply([Want("web")]);
        VmStatus failed = await UntilAsync(host, "web", VmState.Failed);
        Assert.Equal(("no member has the image", VmExitKind.StartFailed), (failed.Reason, failed.Exit?.Kind));
        await AdvanceUntilAsync(TimeSpan.FromSeconds(1), () => host.GetStatus("web")!.State == VmState.Running);
        Assert.Equal("/fetched", kernel);
    }

    [Fact]
    public async Task A_start_that_takes_long_is_given_up_when_the_VM_is_no_longer_wanted()
    {
        _machine.BeforeStart = static (_, cancellationToken) => Task.Delay(Timeout.Infinite, cancellationToken);
        await using VmHost host = await OpenAsync();
        host.Apply([Want("slow"), Want("gone")]);
        await UntilAsync(host, "slow", VmState.Starting);
        await UntilAsync(host, "gone", VmState.Starting);
        host.Apply([Want("slow") with { Running = false }]);
        Assert.Equal("stopped before it had started", (await UntilAsync(host, "slow", VmState.Stopped)).Reason);
        await UntilAsync(() => host.GetStatus("gone") is null);
    }

    [Fact]
    public async Task No_more_start_at_once_than_allowed()
    {
        var release = new TaskCompletionSource();
        int now = 0, most = 0;
        var counting = new Lock();
        _machine.BeforeStart = async (_, _) =>
        {
            lock (counting)
                most = Math.Max(most, ++now);
            await release.Task;
            lock (counting)
                now--;
        };
        await using VmHost host = await OpenAsync(new VmHostOptions { DataDirectory = _directory.Path, ConcurrentStartsMax = 2 });
        host.Apply(Enumerable.Range(0, 6).Select(static i => Want($"vm{i}")));
        await UntilAsync(() => Volatile.Read(ref now) == 2 && host.GetStatuses().Count(static vm => vm.State == VmState.Starting) == 2);
        Assert.Equal(4, host.GetStatuses().Count(static vm => vm.State == VmState.Created));
        release.SetResult();
        await UntilAsync(() => host.GetStatuses().All(static vm => vm.State == VmState.Running));
        Assert.Equal(2, most);
    }

    [Fact]
    public async Task What_ended_while_no_node_was_there_is_lost_and_started_again()
    {
        await using (VmHost before = await OpenAsync())
        {
            before.Apply([Want("web"), Want("never") with { Spec = Want("never").Spec with { RestartPolicy = RestartPolicy.Never } }]);
            await UntilAsync(before, "web", VmState.Running);
            await UntilAsync(before, "never", VmState.Running);
        }

        _machine.End("web", VmExitKind.Crashed);
        _machine.End("never", VmExitKind.Crashed);
        await using VmHost host = await OpenAsync();
        Assert.All(host.GetStatuses(), static vm => Assert.Equal((VmState.Failed, VmExitKind.Lost), (vm.State, vm.Exit?.Kind)));
        host.Apply([Want("web"), Want("never") with { Spec = Want("never").Spec with { RestartPolicy = RestartPolicy.Never } }]);
        await AdvanceUntilAsync(TimeSpan.FromSeconds(1), () => host.GetStatus("web")!.State == VmState.Running);
        Assert.Equal(VmState.Failed, host.GetStatus("never")!.State);
    }

    [Fact]
    public async Task A_start_that_the_node_did_not_live_to_finish_is_begun_again_at_once()
    {
        _machine.BeforeStart = static (_, cancellationToken) => Task.Delay(Timeout.Infinite, cancellationToken);
        DesiredVm never = Want("web") with { Spec = Want("web").Spec with { RestartPolicy = RestartPolicy.Never } };
        await using (VmHost before = await OpenAsync())
        {
            before.Apply([never]);
            await UntilAsync(before, "web", VmState.Starting);
        }

        _machine.BeforeStart = static (_, _) => Task.CompletedTask;
        await using VmHost host = await OpenAsync();
        host.Apply([never]);
        Assert.Equal(VmState.Running, (await UntilAsync(host, "web", VmState.Running)).State);
    }

    [Fact]
    public async Task A_damaged_record_keeps_nobody_from_taking_over_stopping_and_removing()
    {
        await using (VmHost before = await OpenAsync())
        {
            before.Apply([Want("web") with { Epoch = 1 }, Want("gone")]);
            await UntilAsync(before, "web", VmState.Running);
            await UntilAsync(before, "gone", VmState.Running);
        }

        await File.WriteAllTextAsync(_directory.File("vms/web/vm.json"), "{\"Spec\":null}");
        await File.WriteAllTextAsync(_directory.File("vms/gone/vm.json"), "garbage");
        await using VmHost host = await OpenAsync();
        Assert.All(host.GetStatuses(), static vm => Assert.Equal(VmState.Running, vm.State));
        host.Apply([Want("web") with { Epoch = 1 }]);
        await UntilAsync(() => host.GetStatuses() is [{ Name: "web", State: VmState.Running, Epoch: 1 }]);
        Assert.Equal(["web"], _machine.Running);
    }

    [Fact]
    public async Task A_data_directory_has_one_host()
    {
        await using VmHost host = await OpenAsync();
        VmException e = await Assert.ThrowsAsync<VmException>(OpenAsync);
        Assert.Equal(VmFailure.DirectoryUnusable, e.Failure);
    }

    [Fact]
    public async Task Wrong_names_change_nothing()
    {
        await using VmHost host = await OpenAsync();
        host.Apply([Want("web")]);
        await UntilAsync(host, "web", VmState.Running);
        Assert.Throws<VmException>(() => host.Apply([Want("../web")]));
        Assert.Throws<VmException>(() => host.Apply([Want("a"), Want("a")]));
        Assert.Equal(VmFailure.NotFound, (await Assert.ThrowsAsync<VmException>(async () => await host.AttachConsoleAsync("a", _limit.Token))).Failure);
        Assert.Single(host.GetStatuses());
    }

    [Fact]
    public async Task Watchers_see_every_step_and_the_end()
    {
        await using VmHost host = await OpenAsync();
        List<string> seen = [];
        Task watching = Task.Run(async () =>
        {
            await foreach (VmStatus status in host.WatchAsync(_limit.Token))
            {
                lock (seen)
                    seen.Add($"{status.State}: {status.Reason}");
                if (status.Reason == "created")
                    host.Apply([Want("web")]);
                else if (status.Reason == "running")
                    host.Apply([]);
                else if (status.Reason == "removed")
                    return;
            }
        });
        // The watcher may come later than the change; the first status tells it all the same.
        host.Apply([Want("web") with { Running = false }]);
        await watching;
        Assert.Equal(
            ["Starting: it is wanted", "Running: running", "Stopping: it is no longer wanted on this node"],
            seen.SkipWhile(static line => line.StartsWith("Created", StringComparison.Ordinal)).Take(3));
        Assert.Equal("Stopped: removed", seen[^1]);
    }

    [Fact]
    public async Task Logs_are_followed_until_the_VM_is_removed()
    {
        await using VmHost host = await OpenAsync();
        host.Apply([Want("web")]);
        await UntilAsync(host, "web", VmState.Running);
        string log = _directory.File("vms/web/console.log");
        await File.AppendAllTextAsync(log, "one\ntwo\nthr");
        Assert.Equal(["two", "thr"], await host.ReadConsoleLinesAsync("web", follow: false, tailLines: 2, _limit.Token).ToListAsync(_limit.Token));

        List<string> lines = [];
        await foreach (string line in host.ReadConsoleLinesAsync("web", follow: true, tailLines: null, _limit.Token))
        {
            lines.Add(line);
            if (line == "two")
                await File.AppendAllTextAsync(log, "ee\n");
            else if (line == "three")
                host.Apply([]);
        }

        Assert.Equal(["one", "two", "three"], lines);
    }

    [Fact]
    public async Task Random_lives_never_run_a_VM_twice_and_end_as_wanted()
    {
        for (ulong seed = 1; seed <= 15; seed++)
        {
            var random = new SeededRandomSource(seed);
            var calm = false;
            _machine.BeforeStart = async (_, cancellationToken) =>
            {
                ulong luck;
                lock (random)
                    luck = random.NextBelow(4);
                await Task.Yield();
                if (!calm && luck == 0)
                    throw new VmException(VmFailure.StartFailed, "bad luck");
                if (!calm && luck == 1)
                    await Task.Delay(Timeout.Infinite, cancellationToken).WaitAsync(TimeSpan.FromSeconds(3), _time, cancellationToken);
            };
            VmHost host = await OpenAsync();
            Dictionary<string, DesiredVm> desired = [];
            for (int step = 0; step < 60; step++)
            {
                ulong what, which;
                lock (random)
                    (what, which) = (random.NextBelow(6), random.NextBelow(4));
                string name = $"vm{which}";
                switch (what)
                {
                    case 0:
                        desired[name] = Want(name) with { Spec = Want(name).Spec with { RestartPolicy = RestartPolicy.Always }, Epoch = step };
                        break;
                    case 1:
                        desired[name] = Want(name) with { Running = false, Epoch = step };
                        break;
                    case 2:
                        desired.Remove(name);
                        break;
                    case 3:
                        _machine.End(name, VmExitKind.Crashed);
                        break;
                    case 4:
                        await host.DisposeAsync();
                        host = await OpenAsync();
                        break;
                    default:
                        _time.Advance(TimeSpan.FromSeconds(1));
                        break;
                }

                host.Apply(desired.Values);
                await Task.Yield();
            }

            calm = true;
            string[] wanted = [.. desired.Values.Where(static vm => vm.Running).Select(static vm => vm.Spec.Name).Order()];
            VmHost last = host;
            // The machine's word counts as well: a host hears of a crash a moment after it.
            Func<bool> isAsWanted = () => _machine.Running.SequenceEqual(wanted) && last.GetStatuses().Count == desired.Count
                && last.GetStatuses().All(vm => desired.TryGetValue(vm.Name, out DesiredVm? wish) && wish.Running == (vm.State == VmState.Running)
                    && vm.State is not (VmState.Starting or VmState.Stopping));
            await AdvanceUntilAsync(
                TimeSpan.FromSeconds(1), isAsWanted,
                () => $"seed {seed}: running {string.Join(',', _machine.Running)}, wanted {string.Join(',', wanted)}");
            Assert.True(_machine.Violations.IsEmpty, $"seed {seed}: {string.Join(", ", _machine.Violations)}");
            host.Apply([]);
            await AdvanceUntilAsync(TimeSpan.FromSeconds(1), () => last.GetStatuses().Count == 0);
            await host.DisposeAsync();
        }
    }

    private static DesiredVm Want(string name) => new(new VmSpec { Name = name, KernelPath = "/k" });

    private Task<VmHost> OpenAsync() => OpenAsync(new VmHostOptions { DataDirectory = _directory.Path, TimeProvider = _time });

    private Task<VmHost> OpenAsync(VmHostOptions options) => VmHost.OpenAsync(options, _machine, _limit.Token);

    private async Task<VmStatus> UntilAsync(VmHost host, string name, VmState state)
    {
        VmStatus? status = null;
        await UntilAsync(() => (status = host.GetStatus(name))?.State == state);
        return status!;
    }

    private async Task UntilAsync(Func<bool> condition)
    {
        while (!condition())
            await Task.Delay(2, _limit.Token);
    }

    /// <summary>Moves the clock on until the condition holds: a timer may be set only after the clock was moved.</summary>
    private async Task AdvanceUntilAsync(TimeSpan step, Func<bool> condition, Func<string>? otherwise = null)
    {
        while (!condition())
        {
            _time.Advance(step);
            Assert.False(_limit.IsCancellationRequested, otherwise?.Invoke() ?? "waited too long");
            await Task.Delay(2, CancellationToken.None);
        }
    }
}
