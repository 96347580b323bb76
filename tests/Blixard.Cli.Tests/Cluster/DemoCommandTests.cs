using System.Diagnostics;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Blixard.Cli.Tests.Cluster;

/// <summary>The demo when it does not go well; that it does, ./demo shows.</summary>
[Collection(nameof(CliCluster))]
public sealed partial class DemoCommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("blixard-cli-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_step_that_fails_is_named_with_its_reason_and_nothing_is_left()
    {
        await using CliProcess demo = Start();
        CliResult end = await demo.WaitAsync();
        Assert.Equal(1, end.ExitCode);
        JsonNode[] steps = Steps();
        Assert.Equal([true, true, true, true, true, false], steps.Select(step => step["ok"]!.GetValue<bool>()));
        Assert.All(steps, step => Assert.Matches(@"\S$", step["seen"]!.GetValue<string>()));
        Assert.Contains("missing does not exist", steps[^1]["seen"]!.GetValue<string>());
        Assert.Contains("FAILED", end.Output);
        AssertNothingIsLeft();
    }

    [Fact]
    public async Task A_killed_node_fails_the_step_at_once()
    {
        await using CliProcess demo = Start();
        int node = int.Parse(ProcessId().Match(await demo.ReadUntilAsync("one is ")).Groups[1].Value);
        using (var process = Process.GetProcessById(node))
            process.Kill();
        CliResult end = await demo.WaitAsync();
        Assert.Equal(1, end.ExitCode);
        Assert.Equal("node one is gone (ended by signal 9)", Steps()[^1]["seen"]!.GetValue<string>());
        AssertNothingIsLeft();
    }

    [Fact]
    public async Task Ctrl_C_in_a_step_ends_everything_and_keeps_the_summary()
    {
        await using CliProcess demo = Start();
        await demo.ReadUntilAsync("one is ");
        CliResult end = await demo.EndAsync("INT");
        Assert.Equal((1, ""), (end.ExitCode, end.Errors));
        Assert.Equal("stopped before it was done", Steps()[^1]["seen"]!.GetValue<string>());
        AssertNothingIsLeft();
    }

    [GeneratedRegex(@"process (\d+)")]
    private static partial Regex ProcessId();

    // Without a kernel the demo goes as far as the image.
    private CliProcess Start() => CliProcess.StartIn(
        _folder, "demo", "--exit", "--json", Path.Combine(_folder, "summary.json"), "--kernel", Path.Combine(_folder, "missing"), "--initramfs", Path.Combine(_folder, "missing"));

    private JsonNode[] Steps()
    {
        JsonNode summary = JsonNode.Parse(File.ReadAllText(Path.Combine(_folder, "summary.json")))!;
        Assert.False(summary["ok"]!.GetValue<bool>());
        return [.. summary["steps"]!.AsArray().Select(step => step!)];
    }

    private void AssertNothingIsLeft()
    {
        Assert.Empty(Directory.GetDirectories(_folder, "blixard-demo-*"));
        Assert.DoesNotContain(Directory.GetDirectories("/proc"), IsOurs);
    }

    private bool IsOurs(string process)
    {
        try
        {
            return File.ReadAllText(Path.Combine(process, "cmdline")).Contains(_folder, StringComparison.Ordinal);
        }
        catch (IOException)
        {
            // No process, or it ended while we looked.
            return false;
        }
    }
}
