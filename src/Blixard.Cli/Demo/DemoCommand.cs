using System.CommandLine;
using Blixard.Cli.Images;
using System.Text;

namespace Blixard.Cli.Demo;

/// <summary><c>demo</c>: three nodes on this machine, an image that travels, a microVM that boots.</summary>
internal static class DemoCommand
{
    public static Command Create()
    {
        var exit = new Option<bool>("--exit") { Description = "End everything after the last step instead of staying up for playing." };
        var json = new Option<string?>("--json") { Description = "Write the summary to this file.", HelpName = "FILE" };
        var kernel = new Option<string?>("--kernel") { Description = "The guest's kernel. Default: the one that ./demo packed.", HelpName = "FILE" };
        var initramfs = new Option<string?>("--initramfs")
        {
            Description = "The guest's initial RAM file system. Default: the one that ./demo packed.", HelpName = "FILE",
        };
        var command = new Command("demo", "Show everything on this machine: three nodes, an image, a microVM.") { exit, json, kernel, initramfs };
        CommandRunner.Handle(command, async (result, _, cancellationToken) =>
        {
            string kernelPath = result.GetValue(kernel) ?? GuestFile("vmlinuz");
            string initramfsPath = result.GetValue(initramfs) ?? GuestFile("initramfs.cpio.gz");

            // A summary that cannot be written is said before three nodes have run, not after.
            await using FileStream? summary = result.GetValue(json) is { } path ? File.Create(path) : null;
            string folder = Directory.CreateTempSubdirectory("blixard-demo-").FullName;
            await using var cluster = new DemoCluster(folder);
            var report = new DemoReport(Console.Out);
            var script = new DemoScript(cluster, report, kernelPath, initramfsPath);
            bool isComplete = await script.RunAsync(cancellationToken).ConfigureAwait(false);
            report.WriteTable();
            if (summary is not null)
            {
                await summary.WriteAsync(Encoding.UTF8.GetBytes(report.ToJson() + "\n"), CancellationToken.None).ConfigureAwait(false);
                await summary.FlushAsync(CancellationToken.None).ConfigureAwait(false);
            }

            if (isComplete && !result.GetValue(exit) && !cancellationToken.IsCancellationRequested)
            {
                await Console.Out.WriteLineAsync(cluster.HowToPlay()).ConfigureAwait(false);
                await cluster.WaitAsync(cancellationToken).ConfigureAwait(false);
            }

            return isComplete ? ExitCode.Done : ExitCode.Failed;
        });
        return command;
    }

    /// <summary>A file of the guest that the ./demo script keeps in the user's cache.</summary>
    private static string GuestFile(string name)
    {
        string path = Path.Combine(GuestCache.Directory, name);
        return File.Exists(path)
            ? path
            : throw new CommandException(ExitCode.Failed, $"There is no guest to boot: {path} does not exist. ./demo packs one; or name your own with --kernel and --initramfs.");
    }
}
