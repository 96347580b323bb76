using System.Diagnostics;

namespace StoreBench;

/// <summary>Processes of one cluster and the folder of their data, which go together. Their log is kept in the folder until then.</summary>
internal sealed class Children : IAsyncDisposable
{
    /// <summary>How long members may take to serve.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly List<Process> _processes = [];

    /// <summary>The numbers of the processes that were started.</summary>
    public IReadOnlyList<int> Processes => [.. _processes.Select(process => process.Id)];

    public string Folder { get; } = Directory.CreateTempSubdirectory("store-bench-").FullName;

    /// <summary>Starts a program; its standard error goes to NAME.log in the folder.</summary>
    public Process Start(string name, string workingDirectory, string program, params IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo("/bin/sh", ["-c", "log=$1; shift; exec \"$@\" 2>\"$log\"", "sh", Path.Combine(Folder, name + ".log"), program, .. arguments])
        {
            WorkingDirectory = workingDirectory, RedirectStandardOutput = true,
        };
        Process process = Process.Start(start)!;
        _processes.Add(process);
        return process;
    }

    /// <summary>Ends all by SIGTERM, which nodes pass on to their etcd, and deletes the folder.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (Process process in _processes)
        {
            using Process kill = Process.Start("kill", ["-s", "TERM", $"{process.Id}"]);
            await kill.WaitForExitAsync();
        }

        foreach (Process process in _processes)
        {
            using var limit = new CancellationTokenSource(Patience);
            try
            {
                await process.WaitForExitAsync(limit.Token);
            }
            catch (OperationCanceledException)
            {
                process.Kill(entireProcessTree: true);
            }

            process.Dispose();
        }

        Directory.Delete(Folder, recursive: true);
    }
}
