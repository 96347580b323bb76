using System.Diagnostics;
using System.Reflection;
using Blixard.Testing.Basics;

namespace Iroh.Tests.LocalAddresses;

/// <summary>
/// Runs an explicit test in a process with a network, mounts and process ids of its own: whatever it does to them ends with it, and nothing
/// of it reaches the machine. Needs Linux, root, <c>unshare</c> and <c>ip</c>.
/// </summary>
internal static class PrivateNetwork
{
    // What the tests do there takes seconds; a busy machine gets patience.
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(2);

    // /sys shows the interfaces of the network in which it was mounted; /run is where ip-netns keeps names.
    private const string Preparation = "mount -t sysfs none /sys && mount -t tmpfs none /run && ip link set lo up && exec \"$@\"";

    /// <summary>Why there can be none here, for people; null if there can.</summary>
    public static string? WhyNot()
    {
        if (!OperatingSystem.IsLinux())
            return "network namespaces need Linux";
        if (!Environment.IsPrivilegedProcess)
            return "network namespaces need root";
        return File.Exists("/usr/bin/unshare") && (File.Exists("/usr/sbin/ip") || File.Exists("/sbin/ip")) ? null : "unshare or ip is missing (Debian: apt-get install util-linux iproute2)";
    }

    /// <summary>Runs an explicit test there and fails as it does.</summary>
    public static async Task RunTestAsync(Type type, string method)
    {
        var start = new ProcessStartInfo("unshare") { RedirectStandardOutput = true, RedirectStandardError = true };
        string[] program = Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet"
            ? [Environment.ProcessPath!, Assembly.GetExecutingAssembly().Location]
            : [Environment.ProcessPath!];
        string[] arguments =
        [
            "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", Preparation, "sh",
            .. program, "-noColor", "-noLogo", "-explicit", "only", "-method", $"{type.FullName}.{method}",
        ];
        foreach (string argument in arguments)
            start.ArgumentList.Add(argument);
        using Process process = Process.Start(start)!;
        using var limit = new CancellationTokenSource(s_limit);
        try
        {
            Task<string> errors = process.StandardError.ReadToEndAsync(limit.Token);
            string output = await process.StandardOutput.ReadToEndAsync(limit.Token);
            await process.WaitForExitAsync(limit.Token);
            Assert.True(process.ExitCode == 0 && output.Contains("Total: 1,", StringComparison.Ordinal), output + await errors);
        }
        finally
        {
            if (!process.HasExited)
                process.Kill();
        }
    }

    /// <summary>Runs a tool inside, from an explicit test.</summary>
    public static async Task<string> RunToolAsync(string program, string arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        CancellationToken patience = Patience.Token;
        Task<string> errors = process.StandardError.ReadToEndAsync(patience);
        string output = await process.StandardOutput.ReadToEndAsync(patience);
        await process.WaitForExitAsync(patience);
        Assert.True(process.ExitCode == 0, $"{program} {arguments}: {await errors}");
        return output;
    }
}
