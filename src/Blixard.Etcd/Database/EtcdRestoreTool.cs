using System.ComponentModel;
using System.Diagnostics;
using OsProcess = System.Diagnostics.Process;

namespace Blixard.Etcd.Database;

/// <summary>
/// Makes the data directory of a new, single etcd member from a snapshot file, by the tool that belongs to the installed etcd:
/// <c>etcdutl</c>, or <c>etcdctl</c> before etcd 3.5. The write-ahead log that it makes begins with the snapshot, so that a
/// member that joins later gets all keys.
/// </summary>
public static class EtcdRestoreTool
{
    // Gigabytes pass in far less; a tool that hangs must not hang us.
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(10);

    // What a failing tool says is in its last lines.
    private const int ErrorCharactersMax = 2_000;

    // The newer tool first: an etcdctl beside it may have lost this command.
    private static readonly string[] s_names = ["etcdutl", "etcdctl"];

    /// <summary>Restores.</summary>
    /// <param name="etcdProgram">The etcd that will run the member, as a path or a name in PATH; the tool is looked for beside it first.</param>
    /// <param name="snapshotPath">The snapshot file, with its SHA-256 at the end.</param>
    /// <param name="dataDirectory">The member's data directory; it must not be there yet.</param>
    /// <param name="name">The member's name.</param>
    /// <param name="peerUrl">The member's peer URL.</param>
    /// <param name="token">The cluster's token; never one that was used before, or members of the earlier cluster would take this one for theirs.</param>
    /// <param name="cancellationToken">Gives it up and ends the tool.</param>
    /// <exception cref="EtcdRestoreException">There is no tool, or it failed; the message says what to do.</exception>
    public static async Task RestoreAsync(
        string etcdProgram, string snapshotPath, string dataDirectory, string name, string peerUrl, string token,
        CancellationToken cancellationToken = default)
    {
        string tool = Find(etcdProgram) ?? throw new EtcdRestoreException(
            "Neither etcdutl nor etcdctl is found beside etcd or in the PATH. Install the one that belongs to your etcd (Debian: etcd-client).");
        var start = new ProcessStartInfo(tool)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            ArgumentList =
            {
                "snapshot", "restore", snapshotPath, "--data-dir", dataDirectory, "--name", name,
                "--initial-cluster", $"{name}={peerUrl}", "--initial-advertise-peer-urls", peerUrl, "--initial-cluster-token", token,
            },
        };
        // The tools read their options from such variables too; the user's are for other clusters.
        foreach (string variable in start.Environment.Keys.Where(key => key.StartsWith("ETCD", StringComparison.Ordinal)).ToList())
            start.Environment.Remove(variable);
        start.Environment["ETCDCTL_API"] = "3";
        await RunAsync(tool, start, cancellationToken).ConfigureAwait(false);
    }

    private static async Task RunAsync(string tool, ProcessStartInfo start, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(s_limit);
        using OsProcess process = Start(tool, start);
        try
        {
            Task<string> output = process.StandardOutput.ReadToEndAsync(limit.Token);
            string errors = await process.StandardError.ReadToEndAsync(limit.Token).ConfigureAwait(false);
            await output.ConfigureAwait(false);
            await process.WaitForExitAsync(limit.Token).ConfigureAwait(false);
            if (process.ExitCode != 0)
                throw new EtcdRestoreException($"{tool} could not make the etcd member: {Shorten(errors)}");
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new EtcdRestoreException($"{tool} did not end within {s_limit.TotalMinutes} minutes.");
        }
        finally
        {
            if (!process.HasExited)
                process.Kill();
        }
    }

    private static OsProcess Start(string tool, ProcessStartInfo start)
    {
        try
        {
            return OsProcess.Start(start) ?? throw new EtcdRestoreException($"{tool} cannot be started.");
        }
        catch (Win32Exception exception)
        {
            throw new EtcdRestoreException($"{tool} cannot be started: {exception.Message}", exception);
        }
    }

    private static string Shorten(string errors)
    {
        string text = errors.Trim();
        return text.Length > ErrorCharactersMax ? "… " + text[^ErrorCharactersMax..] : text;
    }

    private static string? Find(string etcdProgram)
    {
        IEnumerable<string> directories = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);
        if (Path.GetDirectoryName(etcdProgram) is { Length: > 0 } beside)
            directories = directories.Prepend(beside);
        List<string> places = [.. directories.Where(directory => directory.Length > 0)];
        return s_names.SelectMany(_ => places, (name, directory) => Path.Combine(directory, name)).FirstOrDefault(File.Exists);
    }
}

/// <summary>The etcd member could not be made. The message is for people.</summary>
public sealed class EtcdRestoreException(string message, Exception? inner = null) : Exception(message, inner);
