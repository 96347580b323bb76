using System.Diagnostics;
using Blixard.Testing.Namespaces;

namespace Blixard.Chaos.Tests.Namespaces;

public sealed class NetworkLabTests
{
    // What bash's /dev/tcp cannot say about a silent network is said by a limit.
    private const string Silence = "timeout";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [LabFact]
    public async Task Machines_reach_each_other_until_their_way_is_blocked_and_again_when_it_heals()
    {
        await using NetworkLab lab = await NetworkLab.CreateAsync("a", "b", "c");

        string before = await ConnectAsync(lab, "a", "b");
        await lab.BlockAsync(LabTraffic.Tcp, "a", "b");
        string blocked = await ConnectAsync(lab, "a", "b"), back = await ConnectAsync(lab, "b", "a"), beside = await ConnectAsync(lab, "a", "c");
        await lab.HealAsync();
        await lab.BlockAsync(LabTraffic.Udp, "a", "b");
        string other = await ConnectAsync(lab, "a", "b");
        await lab.IsolateAsync(LabTraffic.All, "c");
        string isolated = await ConnectAsync(lab, "b", "c");
        await lab.HealAsync();
        string healed = await ConnectAsync(lab, "b", "c");

        // Nobody listens: a machine that is reached says so at once.
        Assert.Equal(["refused", Silence, Silence, "refused", "refused", Silence, "refused"], [before, blocked, back, beside, other, isolated, healed]);
    }

    [LabFact]
    public async Task A_lab_leaves_no_process_no_mount_and_no_folder()
    {
        string folder;
        using var sleeper = new Process();
        await using (NetworkLab lab = await NetworkLab.CreateAsync("a"))
        {
            folder = lab.Folder;
            LabDisk disk = await lab.MountDiskAsync(Path.Combine(folder, "disk"), 1);
            await disk.FillAsync();
            Assert.Throws<IOException>(() => File.WriteAllBytes(Path.Combine(disk.Directory, "more"), new byte[8192]));
            disk.Free();
            await File.WriteAllBytesAsync(Path.Combine(disk.Directory, "more"), new byte[8192], Cancel);
            sleeper.StartInfo = lab["a"].Command("sleep", "1000");
            sleeper.Start();
            Assert.Contains(sleeper.Id, await UntilAsync(lab["a"].GetProcessesAsync, processes => processes.Count > 0));
        }

        await sleeper.WaitForExitAsync(Cancel);
        Assert.Equal(137, sleeper.ExitCode);
        Assert.False(Directory.Exists(folder));
        Assert.DoesNotContain(folder, await File.ReadAllTextAsync("/proc/self/mounts", Cancel));
    }

    [Fact]
    public void What_a_living_process_made_is_not_taken_for_a_leftover()
    {
        string name = LabLeftovers.NewName();
        long start = LabProcess.StartOf(Environment.ProcessId)!.Value;

        Assert.False(LabLeftovers.IsLeft(name));
        Assert.False(LabLeftovers.IsLeft($"{name}-a"));
        Assert.True(LabLeftovers.IsLeft($"{LabLeftovers.Prefix}{Environment.ProcessId}-{start - 1}-1-a"));
        Assert.True(LabLeftovers.IsLeft($"{LabLeftovers.Prefix}{int.MaxValue}-{start}-1"));
        Assert.False(LabLeftovers.IsLeft("somebody-elses-1-2-3"));
        Assert.False(LabLeftovers.IsLeft(LabLeftovers.Prefix + "x-y-z"));
    }

    private static async Task<string> ConnectAsync(NetworkLab lab, string from, string to)
    {
        ProcessStartInfo command = lab[from].Command("timeout", "0.5", "bash", "-c", $"echo >/dev/tcp/{lab[to].Address}/9");
        command.RedirectStandardError = true;
        using Process process = Process.Start(command)!;
        string errors = await process.StandardError.ReadToEndAsync(Cancel);
        await process.WaitForExitAsync(Cancel);
        return process.ExitCode == 124 ? Silence : errors.Contains("refused", StringComparison.Ordinal) ? "refused" : errors;
    }

    private static async Task<T> UntilAsync<T>(Func<Task<T>> get, Func<T, bool> condition)
    {
        using var limit = new CancellationTokenSource(LabNode.Patience);
        while (true)
        {
            T seen = await get();
            if (condition(seen))
                return seen;
            await Task.Delay(20, limit.Token);
        }
    }
}
