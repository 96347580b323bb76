using System.Diagnostics;
using Blixard.Etcd.Process;
using Blixard.Etcd.Tests.Support;
using Blixard.Testing.Basics;
using Microsoft.Extensions.Logging;
using OsProcess = System.Diagnostics.Process;

namespace Blixard.Etcd.Tests.Process;

/// <summary>With the real etcd.</summary>
public sealed class EtcdServerTests : IDisposable
{
    private readonly EtcdDirectory _directory = new();

    public void Dispose()
    {
        Assert.Empty(EtcdDirectory.ProcessesIn(_directory.Root));
        _directory.Dispose();
    }

    [Fact]
    public async Task A_new_cluster_serves_and_a_stop_in_order_leaves_no_process_and_no_error()
    {
        TestEtcd etcd = await TestEtcd.FoundAsync(_directory.At("etcd"));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(_directory.At("etcd")));

        await etcd.DisposeAsync();

        Assert.Equal(EtcdServerState.Stopped, etcd.Server.Status.State);
        // etcd ends itself with the signal once it has closed everything.
        Assert.Equal(128 + 15, etcd.Server.Status.ExitCode);
        await Patience.UntilAsync(() => EtcdDirectory.ProcessesIn(_directory.Root).Count == 0, "no process left");
        Assert.DoesNotContain(etcd.Log.Lines, line => line.Level >= LogLevel.Warning);
        Assert.Contains(etcd.Log.Lines, line => line is { Category: "etcd", Level: LogLevel.Information } && line.Text.Contains("elected leader"));
    }

    [Fact]
    public async Task Killed_etcd_is_started_again_and_serves_with_its_data()
    {
        await using TestEtcd etcd = await TestEtcd.FoundAsync(_directory.At("etcd"));

        Kill(etcd.Server.Status.ProcessId!.Value);

        EtcdServerStatus ended = await etcd.UntilAsync(status => status.State != EtcdServerState.Serving);
        Assert.Equal(137, ended.ExitCode);
        EtcdServerStatus served = await etcd.UntilAsync(status => status is { State: EtcdServerState.Serving, Starts: 2 });
        Assert.Equal("", served.Reason);
        Assert.Contains(etcd.Log.Lines, line => line.Text.Contains("etcd was ended by signal 9"));
        Assert.Contains(etcd.Log.Lines, line => line.Text.Contains("restarting local member"));
        await StopAsync(etcd);
    }

    [Fact]
    public async Task It_goes_on_with_its_data_after_a_stop()
    {
        TestEtcd first = await TestEtcd.FoundAsync(_directory.At("etcd"));
        await StopAsync(first);

        await using TestEtcd second = await TestEtcd.ServeAsync(first.Options, new EtcdStart.Continue());

        Assert.Contains(second.Log.Lines, line => line.Text.Contains("restarting local member"));
        await StopAsync(second);
    }

    [Fact]
    public async Task Without_data_it_refuses_to_go_on_instead_of_founding_a_cluster()
    {
        EtcdServerException e = await Assert.ThrowsAsync<EtcdServerException>(() => TestEtcd.StartAsync(TestEtcd.OptionsIn(_directory.At("etcd")), new EtcdStart.Continue()));

        Assert.Equal(EtcdServerFailure.DataMissing, e.Failure);
        Assert.Contains(_directory.At("etcd/data"), e.Message);
    }

    [Fact]
    public async Task A_founding_that_was_cut_short_before_anything_was_written_is_begun_anew()
    {
        TestEtcd first = await TestEtcd.FoundAsync(_directory.At("etcd"));
        await StopAsync(first);
        string log = Directory.GetFiles(_directory.At("etcd/data/member/wal"), "*-*.wal").Single();
        byte[] bytes = File.ReadAllBytes(log);
        Assert.False(EtcdData.HoldsNothing(_directory.At("etcd")));
        Assert.True(WalHead.TryRead(bytes.AsSpan(0, WalHead.BytesMax), out IReadOnlyList<WalRecord> records));
        int firstEntry = records.First(record => record.Type == 2).Offset;
        bytes.AsSpan(firstEntry).Clear();
        File.WriteAllBytes(log, bytes);
        Assert.True(EtcdData.HoldsNothing(_directory.At("etcd")));

        await using TestEtcd second = await TestEtcd.FoundAsync(_directory.At("etcd"));

        await StopAsync(second);
        Assert.False(EtcdData.HoldsNothing(_directory.At("etcd")));
    }

    [Fact]
    public async Task Founding_again_goes_on_with_what_was_founded()
    {
        TestEtcd first = await TestEtcd.FoundAsync(_directory.At("etcd"));
        await StopAsync(first);

        await using TestEtcd second = await TestEtcd.FoundAsync(_directory.At("etcd"));

        Assert.Contains(second.Log.Lines, line => line.Text.Contains("restarting local member"));
        await StopAsync(second);
    }

    [Fact]
    public async Task Data_that_vanish_under_a_running_etcd_are_not_replaced_by_a_new_cluster()
    {
        await using TestEtcd etcd = await TestEtcd.FoundAsync(_directory.At("etcd"));
        Directory.Move(_directory.At("etcd/data"), _directory.At("elsewhere"));

        Kill(etcd.Server.Status.ProcessId!.Value);

        EtcdServerStatus gone = await etcd.UntilAsync(status => status.State == EtcdServerState.BackingOff && status.Reason.Contains("no etcd data"));
        Assert.False(Directory.Exists(_directory.At("etcd/data")), gone.ToString());
        Directory.Move(_directory.At("elsewhere"), _directory.At("etcd/data"));
        await etcd.UntilAsync(status => status.State == EtcdServerState.Serving);
        await StopAsync(etcd);
    }

    [Fact]
    public async Task A_directory_deeper_than_a_sockets_address_serves_too()
    {
        string deep = _directory.At(new string('d', 120) + "/" + new string('e', 120));

        await using TestEtcd etcd = await TestEtcd.FoundAsync(deep);

        Assert.StartsWith("/proc/self/fd/", etcd.Server.ClientSocketPath);
        await StopAsync(etcd);
    }

    [Fact]
    public async Task Etcd_ends_with_its_node_however_that_ends()
    {
        string directory = _directory.At("etcd");
        using OsProcess node = StartNode(directory);
        await Patience.UntilAsync(() => EtcdDirectory.ProcessesIn(directory).Count > 0 || node.HasExited, "etcd runs");
        Assert.False(node.HasExited, "the node ended");

        node.Kill();
        await node.WaitForExitAsync();

        await Patience.UntilAsync(() => EtcdDirectory.ProcessesIn(directory).Count == 0, "etcd ended");
    }

    [Fact]
    public async Task What_a_former_run_left_is_ended_and_a_stranger_in_the_directory_is_not()
    {
        EtcdServerOptions options = TestEtcd.OptionsIn(_directory.At("etcd"));
        await StopAsync(await TestEtcd.FoundAsync(options.Directory));
        using OsProcess left = OsProcess.Start(
            new ProcessStartInfo("etcd", EtcdCommandLine.Arguments(options, new EtcdStart.Continue())) { WorkingDirectory = options.Directory, RedirectStandardError = true })!;
        using OsProcess stranger = OsProcess.Start(new ProcessStartInfo("sleep", "600") { WorkingDirectory = options.Directory })!;
        await Patience.UntilAsync(() => File.Exists(Path.Combine(options.Directory, EtcdCommandLine.PeerSocket)), "the one that is left listens");

        await using TestEtcd etcd = await TestEtcd.ServeAsync(options, new EtcdStart.Continue());

        Assert.Contains(etcd.Log.Lines, line => line.Level == LogLevel.Warning && line.Text.Contains($"(process {left.Id})"));
        await left.WaitForExitAsync();
        Assert.Equal(137, left.ExitCode);
        Assert.False(stranger.HasExited);
        stranger.Kill();
        await stranger.WaitForExitAsync();
        await StopAsync(etcd);
    }

    [Fact]
    public async Task A_full_disk_is_a_reason_for_people_and_room_heals_it()
    {
        using SmallDisk? disk = SmallDisk.TryMount(mebibytes: 200);
        Assert.SkipWhen(disk is null, "mounting a small file system needs root");
        string filler = Path.Combine(disk.Root, "filler");
        Fill(filler);
        await using TestEtcd etcd = await TestEtcd.StartAsync(
            TestEtcd.OptionsIn(Path.Combine(disk.Root, "etcd")), new EtcdStart.NewCluster(TestEtcd.Token));
        EtcdServerStatus full = await etcd.UntilAsync(status => status.State == EtcdServerState.BackingOff);
        Assert.Contains($"the disk that holds {Path.Combine(disk.Root, "etcd/data")} is full", full.Reason);

        File.Delete(filler);

        await etcd.UntilAsync(status => status.State == EtcdServerState.Serving);
        await StopAsync(etcd);
    }

    [Fact]
    public async Task Damaged_data_are_a_reason_that_says_what_to_do()
    {
        string directory = _directory.At("etcd");
        TestEtcd first = await TestEtcd.FoundAsync(directory);
        await StopAsync(first);
        string log = Directory.EnumerateFiles(Path.Combine(directory, "data/member/wal"), "*-*.wal").Order().First();
        using (FileStream file = File.OpenWrite(log))
        {
            file.Position = 30;
            file.Write(new byte[20]);
        }

        await using TestEtcd second = await TestEtcd.StartAsync(first.Options, new EtcdStart.Continue());

        EtcdServerStatus damaged = await second.UntilAsync(status => status.State == EtcdServerState.BackingOff);
        Assert.Contains("are damaged", damaged.Reason);
        Assert.Contains("join again", damaged.Reason);
        await StopAsync(second);
    }

    [Fact]
    public async Task A_program_that_ends_at_once_is_tried_again_with_growing_pauses()
    {
        string program = Script("etcd-that-fails", "[ \"$1\" = --version ] && { echo 'etcd Version: 3.4.23'; exit; }\necho 'panic: no luck' >&2\nexit 7");

        await using TestEtcd etcd = await TestEtcd.StartAsync(
            TestEtcd.OptionsIn(_directory.At("etcd")) with { Program = program }, new EtcdStart.NewCluster(TestEtcd.Token));

        EtcdServerStatus third = await etcd.UntilAsync(status => status is { State: EtcdServerState.BackingOff, Starts: 3 });
        Assert.Equal(7, third.ExitCode);
        Assert.Equal("etcd ended with exit code 7 (panic: no luck)", third.Reason);
        await StopAsync(etcd);
    }

    [Fact]
    public async Task A_program_that_does_not_stop_is_killed_after_the_limit()
    {
        string program = Script("etcd-that-stays", "[ \"$1\" = --version ] && { echo 'etcd Version: 3.4.23'; exit; }\ntrap '' TERM\necho ready >started\nread -r never <fifo");
        string directory = _directory.At("etcd");
        Directory.CreateDirectory(directory);
        using (OsProcess made = OsProcess.Start("mkfifo", Path.Combine(directory, "fifo")))
            await made.WaitForExitAsync();
        TestEtcd etcd = await TestEtcd.StartAsync(
            TestEtcd.OptionsIn(directory) with { Program = program, StopLimit = TimeSpan.FromMilliseconds(200) }, new EtcdStart.NewCluster(TestEtcd.Token));
        await Patience.UntilAsync(() => File.Exists(Path.Combine(directory, "started")), "the script runs");

        await StopAsync(etcd);

        Assert.Equal(137, etcd.Server.Status.ExitCode);
        Assert.Contains(etcd.Log.Lines, line => line.Text.Contains("was killed"));
    }

    /// <summary>Not a test of its own: the node that a test above starts and kills.</summary>
    [Fact(Explicit = true)]
    public async Task Child_process_that_runs_etcd_until_it_is_killed()
    {
        await using TestEtcd etcd = await TestEtcd.FoundAsync(Environment.GetEnvironmentVariable(ChildDirectory)!);
        await Task.Delay(Patience.Limit);
    }

    private const string ChildDirectory = "BLIXARD_TEST_ETCD_DIRECTORY";

    private static OsProcess StartNode(string directory)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
            start.ArgumentList.Add(typeof(EtcdServerTests).Assembly.Location);
        foreach (string argument in new[] { "-explicit", "only", "-method", $"{typeof(EtcdServerTests).FullName}.{nameof(Child_process_that_runs_etcd_until_it_is_killed)}" })
            start.ArgumentList.Add(argument);
        start.Environment[ChildDirectory] = directory;
        // What the child cannot delete because it is killed goes with our directory.
        start.Environment["TMPDIR"] = Path.GetDirectoryName(directory);
        return OsProcess.Start(start)!;
    }

    private async Task StopAsync(TestEtcd etcd)
    {
        await etcd.DisposeAsync();
        // The watcher beside etcd ends as soon as it sees that etcd is gone.
        await Patience.UntilAsync(
            () => EtcdDirectory.ProcessesIn(etcd.Options.Directory).Count == 0, $"no process is left in {etcd.Options.Directory}");
    }

    private static void Kill(int pid)
    {
        using OsProcess process = OsProcess.GetProcessById(pid);
        process.Kill();
    }

    private static void Fill(string path)
    {
        using FileStream file = File.Create(path);
        byte[] block = new byte[64 * 1024];
        try
        {
            while (true)
            {
                file.Write(block);
                file.Flush();
            }
        }
        catch (IOException)
        {
            // Full, as wanted.
        }
    }

    private string Script(string name, string text)
    {
        string path = _directory.At(name);
        File.WriteAllText(path, "#!/bin/sh\n" + text + "\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return path;
    }
}
