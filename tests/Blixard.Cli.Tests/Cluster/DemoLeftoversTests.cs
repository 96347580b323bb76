using System.Diagnostics;
using System.Globalization;
using Blixard.Cli.Demo;
using Blixard.Testing.Basics;

namespace Blixard.Cli.Tests.Cluster;

public sealed class DemoLeftoversTests
{
    [Fact]
    public void A_namespace_is_left_when_the_process_that_its_name_tells_is_gone_or_another_has_its_id()
    {
        string own = DemoLeftovers.OwnName();
        string[] parts = own.Split('-');
        long start = long.Parse(parts[^1], CultureInfo.InvariantCulture);

        Assert.Equal(Environment.ProcessId.ToString(CultureInfo.InvariantCulture), parts[^2]);
        Assert.False(DemoLeftovers.IsLeft($"{own}-home"));
        Assert.True(DemoLeftovers.IsLeft($"blixard-demo-{Environment.ProcessId}-{start - 1}-home"));
        Assert.True(DemoLeftovers.IsLeft($"blixard-demo-{int.MaxValue}-{start}-gateway"));
        Assert.False(DemoLeftovers.IsLeft($"somebody-elses-{int.MaxValue}-1-home"));
        Assert.False(DemoLeftovers.IsLeft("blixard-demo-x-y-home"));
        Assert.False(DemoLeftovers.IsLeft(""));
    }

    [Fact]
    public async Task Only_what_is_left_is_removed_and_its_processes_end_first()
    {
        using Process running = Process.Start("sleep", "1000");
        string left = $"blixard-demo-{int.MaxValue}-1-home", own = $"{DemoLeftovers.OwnName()}-home";
        var ran = new List<string>();

        await DemoLeftovers.RemoveAsync((program, arguments) =>
        {
            string command = $"{program} {string.Join(' ', arguments)}";
            ran.Add(command);
            return Task.FromResult<string?>(command switch
            {
                "ip netns list" => $"{own} (id: 1)\n{left} (id: 2)\nother\n",
                _ when command == $"ip netns pids {left}" => $"{running.Id}\n{int.MaxValue}\n",
                _ => "",
            });
        });

        await running.WaitForExitAsync(Patience.Token);
        Assert.Equal(["ip netns list", $"ip netns pids {left}", $"ip netns delete {left}"], ran);
    }

    [Fact]
    public async Task A_tool_that_cannot_be_run_leaves_everything_as_it_is() =>
        await DemoLeftovers.RemoveAsync((_, arguments) => arguments is ["netns", "list"] ? Task.FromResult<string?>(null) : throw new InvalidOperationException());
}
