using System.Diagnostics;
using Blixard.Containers.Boot;
using Blixard.Containers.Tree;

namespace Blixard.Containers.Tests.Boot;

/// <summary>The launcher runs on this machine's kernel, without the part that changes the root and the user.</summary>
public sealed class LaunchProgramTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Arguments_and_environment_arrive_byte_for_byte()
    {
        (int exitCode, string output) = await RunAsync(Launcher.Build(Program("/bin/sh", "-c", "printf '<%s>' \"$@\"; env | grep ^T", "sh", "a b", "", "'\"$x\n"), isRoot: false));
        Assert.Equal((0, "<a b><><'\"$x\n>T=one=1\n"), (exitCode, output));
    }

    [Fact]
    public async Task The_first_candidate_that_can_be_executed_is()
    {
        ContainerProgram program = Program("sh", "-c", "exit 7") with { Candidates = ["/nowhere/sh", "/etc/passwd", "/bin/sh"] };
        Assert.Equal(7, (await RunAsync(Launcher.Build(program, isRoot: false))).ExitCode);
    }

    [Fact]
    public async Task Without_a_program_the_exit_code_is_127()
    {
        Assert.Equal(Launcher.NotFoundExitCode, (await RunAsync(Launcher.Build(Program("/nowhere"), isRoot: false))).ExitCode);
    }

    [Fact]
    public async Task A_call_that_fails_and_may_not_ends_it()
    {
        const int ChangeDirectory = 80;
        var launch = new LaunchProgram();
        launch.Call(ChangeDirectory, 0, launch.Text("/nowhere"));
        launch.Call(ChangeDirectory, 42, launch.Text("/nowhere"));
        Assert.Equal(42, (await RunAsync(launch.Build(1))).ExitCode);
    }

    private static ContainerProgram Program(params string[] arguments) => new()
    {
        Arguments = arguments,
        Environment = ["T=one=1", "PATH=/usr/bin:/bin"],
        Candidates = [arguments[0]],
        WorkingDirectory = "/",
        Account = new Account(0, 0, [], "/"),
        StopSignal = 15,
    };

    private async Task<(int ExitCode, string Output)> RunAsync(byte[] program)
    {
        string path = _directory.File("launch");
        await File.WriteAllBytesAsync(path, program);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        // Other tests' forks may hold the file open for writing for a moment, which Linux calls busy; a copy by another process is not.
        string copy = _directory.File("launch-copy");
        using (Process copying = Process.Start("/bin/cp", [path, copy]))
            await copying.WaitForExitAsync();
        using Process process = Process.Start(new ProcessStartInfo(copy) { RedirectStandardOutput = true, RedirectStandardInput = true })!;
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, output);
    }
}
