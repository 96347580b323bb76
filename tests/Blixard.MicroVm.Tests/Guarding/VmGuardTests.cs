using System.Diagnostics;
using Blixard.MicroVm.Guarding;
using Blixard.MicroVm.Qemu;

namespace Blixard.MicroVm.Tests.Guarding;

/// <summary>The real guard, with sleeping processes in the place of QEMU.</summary>
public sealed class VmGuardTests : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_ahead = TimeSpan.FromMinutes(10);

    private readonly TemporaryDirectory _directory = new();
    private readonly CancellationTokenSource _limit = new(s_patience);
    private readonly List<QemuProcess> _processes = [];
    private readonly VmGuard _guard;

    public VmGuardTests() => _guard = VmGuard.Open(_directory.File("guard"));

    public void Dispose()
    {
        foreach (QemuProcess process in _processes)
        {
            process.Kill();
            process.Dispose();
        }

        // With nothing left to watch and the deadline behind it, the guard ends by itself.
        _guard.Set(new GuardDeadline(TimeSpan.Zero, 0));
        SpinWait.SpinUntil(() => !_guard.IsRunning(), s_patience);
        _limit.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task What_it_watches_lives_while_the_deadline_moves_and_dies_when_it_has_passed()
    {
        _guard.Set(new GuardDeadline(BootClock.Now + s_ahead, 1));
        await _guard.EnsureRunningAsync(_limit.Token);
        QemuProcess one = await StartedAsync("one", 1), two = await StartedAsync("two", 1);
        string other = _directory.File("other");
        QemuProcess free = Start(other, watch: null);

        Assert.Equal([one.Id, two.Id], _guard.GetWatched().Order());
        // Longer than the guard takes for several looks.
        _guard.Set(new GuardDeadline(BootClock.Now + TimeSpan.FromSeconds(1.5), 1));
        _guard.Set(new GuardDeadline(BootClock.Now + s_ahead, 1));
        await Task.Delay(TimeSpan.FromSeconds(2), _limit.Token);
        Assert.True(one.IsAlive && two.IsAlive);

        TimeSpan deadline = BootClock.Now;
        _guard.Set(new GuardDeadline(deadline, 1));
        await one.WaitForEndAsync(_limit.Token);
        await two.WaitForEndAsync(_limit.Token);

        Assert.True(free.IsAlive);
        Assert.Equal(137, one.ExitCode);
        await UntilAsync(() => File.Exists(Path.Combine(_directory.File("one"), GuardScript.MarkName)), "the mark in the VM's directory");
        await UntilAsync(() => !_guard.IsRunning(), "the end of a guard without work");
        Assert.Empty(_guard.GetWatched());
    }

    [Fact]
    public async Task Nothing_starts_after_the_deadline_or_with_the_permission_of_another_generation()
    {
        _guard.Set(new GuardDeadline(BootClock.Now, 7));
        QemuProcess late = Start(_directory.File("late"), new QemuWatch(_guard.Directory, 7));
        await late.WaitForEndAsync(_limit.Token);
        _guard.Set(new GuardDeadline(BootClock.Now + s_ahead, 8));
        QemuProcess stale = Start(_directory.File("stale"), new QemuWatch(_guard.Directory, 7));
        await stale.WaitForEndAsync(_limit.Token);

        Assert.Equal(1, late.ExitCode);
        Assert.Equal(1, stale.ExitCode);
        Assert.Equal("the node's lease ran out while the VM was being started", QemuProcess.ReadErrorTail(Path.Combine(_directory.File("stale"), "qemu.log")));
        Assert.Empty(Directory.GetFiles(Path.Combine(_guard.Directory, "watched")));
    }

    [Fact]
    public async Task A_process_that_has_got_the_id_of_a_watched_one_is_not_touched()
    {
        QemuProcess stranger = Start(_directory.File("stranger"), watch: null);
        string entry = Path.Combine(_guard.Directory, "watched", $"{stranger.Id}-1");
        await File.WriteAllTextAsync(entry, _directory.File("stranger") + "\n", _limit.Token);
        _guard.Set(new GuardDeadline(BootClock.Now, 1));

        await _guard.EnsureRunningAsync(_limit.Token);
        await UntilAsync(() => !File.Exists(entry), "the entry swept");
        await UntilAsync(() => !_guard.IsRunning(), "the end of the guard");

        Assert.Empty(_guard.GetWatched());
        Assert.True(stranger.IsAlive);
    }

    [Theory]
    [InlineData("-KILL")]
    [InlineData("-STOP")]
    public async Task A_guard_that_was_killed_or_stopped_is_replaced_and_the_next_does_its_work(string signal)
    {
        _guard.Set(new GuardDeadline(BootClock.Now + s_ahead, 1));
        await _guard.EnsureRunningAsync(_limit.Token);
        QemuProcess watched = await StartedAsync("vm", 1);
        string first = await File.ReadAllTextAsync(Path.Combine(_guard.Directory, "pid"), _limit.Token);
        Signal(signal, first.Split(' ')[0]);
        await UntilAsync(() => !_guard.IsRunning(), "the guard seen as gone");

        await _guard.EnsureRunningAsync(_limit.Token);
        _guard.Set(new GuardDeadline(BootClock.Now, 1));
        await watched.WaitForEndAsync(_limit.Token);

        Assert.NotEqual(first, await TryReadAsync(Path.Combine(_guard.Directory, "pid")));
        Signal("-KILL", first.Split(' ')[0]);
    }

    [Fact]
    public async Task All_is_ended_at_once_when_asked_for()
    {
        _guard.Set(new GuardDeadline(BootClock.Now + s_ahead, 1));
        QemuProcess one = await StartedAsync("one", 1), two = await StartedAsync("two", 1);

        await _guard.EndAllAsync(_limit.Token);

        Assert.False(one.IsAlive || two.IsAlive);
    }

    [Fact]
    public void The_deadline_is_found_again_unless_the_machine_was_started_meanwhile()
    {
        var deadline = new GuardDeadline(TimeSpan.FromSeconds(1234.56), 3);
        _guard.Set(deadline);
        string entry = Path.Combine(_guard.Directory, "watched", "1-1");
        File.WriteAllText(entry, "/nowhere\n");

        Assert.Equal(deadline, VmGuard.Open(_guard.Directory).Deadline);
        Assert.True(File.Exists(entry));
        string path = Path.Combine(_guard.Directory, "deadline");
        File.WriteAllText(path, deadline.Format("another boot"));
        Assert.Null(VmGuard.Open(_guard.Directory).Deadline);
        Assert.False(File.Exists(entry));
    }

    [Theory]
    [InlineData("")]
    [InlineData("5")]
    [InlineData("500 501 3 boot")]
    [InlineData("500 500 3 other")]
    [InlineData("-5 -5 3 boot")]
    [InlineData("99999999999999999999 99999999999999999999 3 boot")]
    [InlineData("9223372036854775807 9223372036854775807 3 boot")]
    [InlineData("500 500 x boot")]
    [InlineData("500 500 3 boot more")]
    public void A_line_that_is_no_deadline_is_none(string line) => Assert.False(GuardDeadline.TryParse(line, "boot", out _));

    [Fact]
    public void All_lines_are_as_long_so_that_one_is_written_over_another()
    {
        var deadline = new GuardDeadline(TimeSpan.FromSeconds(5), 3);

        Assert.Equal(deadline.Format("boot").Length, new GuardDeadline(TimeSpan.MaxValue, long.MaxValue).Format("boot").Length);
        Assert.True(GuardDeadline.TryParse(deadline.Format("boot"), "boot", out GuardDeadline read));
        Assert.Equal(deadline, read);
    }

    private static void Signal(string signal, string pid)
    {
        using Process kill = Process.Start("/bin/sh", ["-c", $"kill {signal} {pid} 2>/dev/null"]);
        kill.WaitForExit();
    }

    private static async Task<string> TryReadAsync(string path) => File.Exists(path) ? await File.ReadAllTextAsync(path) : "";

    private async Task UntilAsync(Func<bool> condition, string what)
    {
        while (!condition())
        {
            Assert.False(_limit.IsCancellationRequested, $"not seen within {s_patience.TotalSeconds} s: {what}");
            await Task.Delay(20, CancellationToken.None);
        }
    }

    private async Task<QemuProcess> StartedAsync(string name, long generation)
    {
        QemuProcess process = Start(_directory.File(name), new QemuWatch(_guard.Directory, generation));
        await UntilAsync(() => _guard.GetWatched().Contains(process.Id), $"{name} watched");
        return process;
    }

    private QemuProcess Start(string directory, QemuWatch? watch)
    {
        Directory.CreateDirectory(directory);
        QemuProcess process = QemuProcess.Start("/bin/sleep", ["600"], Guid.Empty, directory, Path.Combine(directory, "qemu.log"), watch);
        _processes.Add(process);
        return process;
    }
}
