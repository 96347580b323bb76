using System.Diagnostics;
using System.Text;
using OsProcess = System.Diagnostics.Process;

namespace Blixard.Etcd.Process;

/// <summary>An etcd program on this machine whose version is supported.</summary>
/// <param name="Path">The program's absolute path.</param>
/// <param name="Version">The version that it says it has.</param>
public sealed record EtcdProgram(string Path, Version Version)
{
    /// <summary>
    /// The oldest version: learners came with it. The real one that the tests run is Debian 12's 3.4.23; versions up to 3.6 have every
    /// option that we use.
    /// </summary>
    public static readonly Version VersionMin = new(3, 4);

    /// <summary>The first version that is not accepted: a new major version may change what is on disk and on the wire.</summary>
    public static readonly Version VersionEnd = new(4, 0);

    /// <summary>How much of the program's answer is read; etcd's has 110 bytes.</summary>
    private const int AnswerBytesMax = 4096;

    private const string Install = "Install etcd 3.4 or newer (Debian and Ubuntu: apt-get install etcd-server), or name the program with --etcd PROGRAM.";

    /// <summary>How long the program may take to say its version: it does so in 20 ms; an overloaded machine is given time.</summary>
    private static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(20);

    /// <summary>Looks for the program and asks for its version.</summary>
    /// <param name="program">A name to look up on the PATH, or a path (with a '/'), which is not looked up.</param>
    /// <param name="time">The clock of the time limit.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="EtcdServerException">There is none, it does not answer as etcd does, or its version is not supported.</exception>
    public static async Task<EtcdProgram> FindAsync(string program, TimeProvider time, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(program);
        string path = Locate(program, Environment.GetEnvironmentVariable("PATH") ?? "");
        string answer = await AskAsync(path, time, cancellationToken).ConfigureAwait(false);
        if (!TryReadVersion(answer, out Version? version))
        {
            string shown = answer.Length == 0 ? "nothing" : $"'{FirstLine(answer)}'";
            throw new EtcdServerException(EtcdServerFailure.ProgramUnusable, $"{path} --version printed {shown}, which is not how etcd names its version. {Install}");
        }

        return version >= VersionMin && version < VersionEnd
            ? new EtcdProgram(path, version)
            : throw new EtcdServerException(
                EtcdServerFailure.VersionRefused, $"{path} is etcd {version}; versions from {VersionMin} to before {VersionEnd} are supported. {Install}");
    }

    /// <summary>Reads the first line of etcd --version: "etcd Version: 3.4.23", also with a suffix such as "-rc.1".</summary>
    internal static bool TryReadVersion(string answer, out Version version)
    {
        const string Prefix = "etcd Version: ";
        version = new Version();
        string line = FirstLine(answer);
        if (!line.StartsWith(Prefix, StringComparison.Ordinal))
            return false;
        string number = line[Prefix.Length..].Split('-', '+')[0].Trim();
        bool valid = System.Version.TryParse(number, out Version? read);
        version = read ?? version;
        return valid;
    }

    /// <summary>The absolute path of an executable file.</summary>
    internal static string Locate(string program, string searchPath)
    {
        if (program.Contains('/', StringComparison.Ordinal))
        {
            string full = System.IO.Path.GetFullPath(program);
            if (IsExecutable(full))
                return full;
            string found = File.Exists(full) ? "is not executable" : "is no file";
            throw new EtcdServerException(EtcdServerFailure.ProgramMissing, $"The etcd program was given as {program}, and {full} {found}. {Install}");
        }

        foreach (string directory in searchPath.Split(':', StringSplitOptions.RemoveEmptyEntries))
        {
            string candidate = System.IO.Path.GetFullPath(System.IO.Path.Combine(directory, program));
            if (IsExecutable(candidate))
                return candidate;
        }

        throw new EtcdServerException(
            EtcdServerFailure.ProgramMissing, $"A server of an etcd cluster needs etcd, and there is no program '{program}' on the PATH ({searchPath}). {Install}");
    }

    private static bool IsExecutable(string path)
    {
        const UnixFileMode AnyExecute = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
        try
        {
            return !OperatingSystem.IsWindows() && File.Exists(path) && (File.GetUnixFileMode(path) & AnyExecute) != 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static async Task<string> AskAsync(string path, TimeProvider time, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(path)
        {
            ArgumentList = { "--version" },
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        EtcdCommandLine.CleanEnvironment(start.Environment);
        using var limit = new CancellationTokenSource(AnswerLimit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        OsProcess? process = null;
        try
        {
            process = OsProcess.Start(start) ?? throw new InvalidOperationException("no process was started");
            process.StandardInput.Close();
            byte[] answer = new byte[AnswerBytesMax];
            int length = await process.StandardOutput.BaseStream.ReadAtLeastAsync(answer, answer.Length, throwOnEndOfStream: false, either.Token)
                .ConfigureAwait(false);
            return Encoding.UTF8.GetString(answer, 0, length);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new EtcdServerException(
                EtcdServerFailure.ProgramUnusable, $"{path} --version did not answer within {AnswerLimit.TotalSeconds} s. Is it etcd? {Install}");
        }
        catch (Exception e) when (e is System.ComponentModel.Win32Exception or InvalidOperationException or IOException)
        {
            throw new EtcdServerException(EtcdServerFailure.ProgramUnusable, $"{path} could not be run: {e.Message}. {Install}", e);
        }
        finally
        {
            if (process is not null)
            {
                EtcdRun.Kill(process);
                process.Dispose();
            }
        }
    }

    private static string FirstLine(string text)
    {
        const int ShownMax = 100;
        string line = text.Split('\n', 2)[0].Trim();
        return line.Length <= ShownMax ? line : line[..ShownMax];
    }
}
