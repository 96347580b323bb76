using System.Diagnostics;
using System.Globalization;
using Blixard.Etcd.Process;
using Blixard.Etcd.Tests.Support;
using OsProcess = System.Diagnostics.Process;

namespace Blixard.Etcd.Tests.Process;

/// <summary>Who can reach a running etcd.</summary>
public sealed class EtcdReachTests : IDisposable
{
    private const UnixFileMode Everybody =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    private static readonly string[] s_asNobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

    private readonly EtcdDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Another_user_of_the_machine_reaches_neither_its_clients_nor_its_peers_socket()
    {
        Assert.SkipUnless(Environment.UserName == "root", "becoming another user needs root");
        // What is above etcd's own directory lets everybody through, as a data directory may that an administrator opened.
        File.SetUnixFileMode(_directory.Root, Everybody);
        string directory = _directory.At("etcd");
        await using TestEtcd etcd = await TestEtcd.FoundAsync(directory);
        Assert.SkipUnless((await RunAsync([.. s_asNobody, "ls", _directory.Root])).Code == 0, "another user does not even get to the tests' directory");

        (int code, string said) = await RunAsync(Get(directory, "client:0", seconds: 30));
        Assert.True(code == 0, "we ourselves do not reach it: " + said);
        foreach (string socket in new[] { "client:0", "peer:0" })
        {
            // etcdctl tries until its limit and then tells why each attempt failed.
            (code, said) = await RunAsync([.. s_asNobody, .. Get(directory, socket, seconds: 5)]);
            Assert.NotEqual(0, code);
            Assert.Contains("permission denied", said);
        }
    }

    [Fact]
    public async Task It_has_no_socket_but_the_two_in_its_directory()
    {
        await using TestEtcd etcd = await TestEtcd.FoundAsync(_directory.At("etcd"));
        string process = $"/proc/{etcd.Server.Status.ProcessId!.Value.ToString(CultureInfo.InvariantCulture)}";
        HashSet<string> inodes =
        [
            .. Directory.EnumerateFiles($"{process}/fd").Select(file => new FileInfo(file).LinkTarget ?? "")
                .Where(target => target.StartsWith("socket:[", StringComparison.Ordinal)).Select(target => target["socket:[".Length..^1]),
        ];
        Assert.NotEmpty(inodes);

        // proc_net_tcp(5): the inode is the tenth column.
        foreach (string table in new[] { "tcp", "tcp6", "udp", "udp6" })
            Assert.DoesNotContain(File.ReadLines($"{process}/net/{table}").Skip(1), line => inodes.Contains(Columns(line)[9]));
        // proc(5), /proc/net/unix: the flag 00010000 marks a listener; inode and path are the seventh and eighth column.
        IEnumerable<string> listeners = File.ReadLines($"{process}/net/unix").Skip(1).Select(Columns)
            .Where(columns => columns[3] == "00010000" && inodes.Contains(columns[6])).Select(columns => columns.Length > 7 ? columns[7] : "");
        Assert.Equal(["client:0", "peer:0"], listeners.Order());
    }

    private static string[] Columns(string line) => line.Split(' ', StringSplitOptions.RemoveEmptyEntries);

    private static string[] Get(string directory, string socket, int seconds) =>
        ["etcdctl", "--endpoints", $"unix://{directory}/{socket}", $"--dial-timeout={seconds}s", $"--command-timeout={seconds}s", "endpoint", "status"];

    private static async Task<(int Code, string Said)> RunAsync(string[] command)
    {
        var start = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = "/" };
        EtcdCommandLine.CleanEnvironment(start.Environment);
        start.Environment["ETCDCTL_API"] = "3";
        using OsProcess process = OsProcess.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string said = await process.StandardOutput.ReadToEndAsync() + await errors;
        await process.WaitForExitAsync();
        return (process.ExitCode, said);
    }
}
