using System.Diagnostics;
using Blixard.Rpc.Calls;
using Blixard.Testing.Chaos;
using Blixard.V1;

namespace Blixard.Node.Tests.Support;

/// <summary>VMs without guests, whose processes note when they live (tests/Blixard.FakeQemu), on all nodes of one test.</summary>
internal sealed class RecordedVms
{
    /// <summary>How long a node's lease lives here: a test waits for its end, and a busy machine must keep it.</summary>
    public const int NodeTtlSeconds = 4;

    private readonly TestCluster _cluster;
    private readonly string _lives;

    /// <summary>Recorded VMs, whose processes and guards end with the cluster.</summary>
    public RecordedVms(TestCluster cluster)
    {
        (_cluster, _lives) = (cluster, cluster.DirectoryOf("lives"));
        cluster.EndLeftovers = EndLeftovers;
    }

    public IReadOnlyList<VmLife> Lives => VmLives.Read(_lives);

    /// <summary>The options of a node whose VMs are recorded.</summary>
    public NodeOptions With(NodeOptions options) => options with { QemuProgram = ProgramFor(options.Name!), NodeTtl = TimeSpan.FromSeconds(NodeTtlSeconds) };

    /// <summary>The same for a node in a process of its own.</summary>
    public IReadOnlyDictionary<string, string> Variables(string node) => new Dictionary<string, string>
    {
        ["BLIXARD_QEMU"] = ProgramFor(node),
        ["BLIXARD_NODE_TTL"] = $"{NodeTtlSeconds}",
        // More than the others offer, so that VMs are placed there.
        ["BLIXARD_MEMORY_MIB"] = "16384",
    };

    public static async Task AddImageAsync(TestNode node, string directory)
    {
        string kernel = Path.Combine(directory, "kernel");
        await File.WriteAllBytesAsync(kernel, new byte[1000]);
        await foreach (ImageProgress _ in node.Api.StreamAsync(
            ImageMethods.Add, new AddImageRequest { Name = "tiny", KernelPath = kernel }, RpcCallOptions.Within(TestNode.Patience)))
        {
            // Only the end counts.
        }
    }

    public static VmSpec Spec(string name, NodeLossPolicy policy) =>
        new() { Name = name, Image = "tiny", Restart = RestartPolicy.Always, OnNodeLoss = policy, MemoryMib = 128 };

    /// <summary>Waits until a VM's processes fulfil a condition.</summary>
    public async Task<VmLife[]> UntilAsync(string vm, Func<VmLife[], bool> condition, string what)
    {
        using var patience = new CancellationTokenSource(TestNode.Patience);
        while (true)
        {
            VmLife[] lives = [.. Lives.Where(life => life.Vm == vm)];
            if (condition(lives))
                return lives;
            Assert.False(patience.IsCancellationRequested, $"not seen within {TestNode.Patience.TotalSeconds} s: {what}. Seen: {string.Join("; ", lives.AsEnumerable())}");
            await Task.Delay(50, CancellationToken.None);
        }
    }

    /// <summary>No VM ran twice at any moment.</summary>
    public void AssertNeverTwice() => Assert.Empty(VmLives.Overlaps(Lives));

    private void EndLeftovers()
    {
        foreach (string entry in Directory.EnumerateFiles(_cluster.DirectoryOf(""), "qemu.pid", SearchOption.AllDirectories))
            Kill(File.ReadAllText(entry).Trim());
        foreach (string entry in Directory.EnumerateFiles(_cluster.DirectoryOf(""), "pid", SearchOption.AllDirectories)
            .Where(path => Path.GetFileName(Path.GetDirectoryName(path)) == "guard"))
            Kill(File.ReadAllText(entry).Split(' ')[0]);
    }

    /// <summary>Sends a signal to a process of this test.</summary>
    public static void Signal(string signal, int pid)
    {
        using Process kill = Process.Start("/bin/sh", ["-c", $"kill -{signal} {pid}"]);
        kill.WaitForExit();
    }

    private static void Kill(string pid)
    {
        try
        {
            using Process process = Process.GetProcessById(int.Parse(pid, System.Globalization.CultureInfo.InvariantCulture));
            // A process that has got the number since is not ours.
            if (process.ProcessName is "dotnet" or "sh" or "dash")
                process.Kill();
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or FormatException)
        {
            // Gone already.
        }
    }

    private string ProgramFor(string node)
    {
        string program = _cluster.DirectoryOf($"{node}-qemu");
        string machine = Path.Combine(AppContext.BaseDirectory.Replace("Blixard.Node.Tests", "Blixard.FakeQemu"), "Blixard.FakeQemu.dll");
        File.WriteAllText(program, $"#!/bin/sh\nexport BLIXARD_LIVES='{_lives}' BLIXARD_LIVES_HOST={node}\nexec dotnet '{machine}' \"$@\"\n");
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserExecute | UnixFileMode.UserWrite);
        return program;
    }
}
