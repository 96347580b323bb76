using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Blixard.MicroVm.Qemu;

/// <summary>
/// Finds out what guests run on by running one: that /dev/kvm opens says little. The answer is kept for this process, and on disk until
/// QEMU or the running kernel changes. Thread-safe.
/// </summary>
internal sealed class AccelerationProbe
{
    /// <summary>The time a probe guest gets. Even TCG needs 0.4 s only; the rest is for a machine under load.</summary>
    public static readonly TimeSpan TimeLimit = TimeSpan.FromSeconds(3);

    private const string KvmDevice = "/dev/kvm";
    private readonly string _qemuPath;
    private readonly string _directory;
    private readonly string _kvmDevice;
    private readonly Lock _lock = new();
    private Task<Acceleration>? _answer;

    /// <summary>Creates a probe.</summary>
    /// <param name="qemuPath">The QEMU program.</param>
    /// <param name="directory">Where the answer is kept (acceleration.json); exists.</param>
    /// <param name="kvmDevice">The device that says whether there is KVM.</param>
    public AccelerationProbe(string qemuPath, string directory, string kvmDevice = KvmDevice)
    {
        _qemuPath = qemuPath;
        _directory = directory;
        _kvmDevice = kvmDevice;
    }

    private string CachePath => Path.Combine(_directory, "acceleration.json");

    /// <summary>The answer, probed at the first call; a probe that failed (QEMU could not be run) is repeated at the next.</summary>
    public async ValueTask<Acceleration> GetAsync(CancellationToken cancellationToken)
    {
        Task<Acceleration> answer;
        lock (_lock)
        {
            if (_answer is null or { IsFaulted: true })
                _answer = FindAsync();
            answer = _answer;
        }

        return await answer.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    private async Task<Acceleration> FindAsync() =>
        WhyNotEvenTry() is { } reason
            ? new Acceleration(Accelerator.Tcg, $"{reason}; using TCG (slower)")
            : await GetCachedOrProbeAsync().ConfigureAwait(false);

    private string? WhyNotEvenTry()
    {
        if (!File.Exists(_kvmDevice))
            return $"there is no {_kvmDevice}";
        try
        {
            using FileStream device = new(_kvmDevice, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, bufferSize: 0);
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"{_kvmDevice} may not be opened (is this user in the group kvm?)";
        }
    }

    private async Task<Acceleration> GetCachedOrProbeAsync()
    {
        string key = await ReadKeyAsync().ConfigureAwait(false);
        if (ReadCache() is { } cached && cached.Key == key && Enum.IsDefined(cached.Accelerator))
            return new Acceleration(cached.Accelerator, cached.Explanation);
        Acceleration probed = await ProbeAsync().ConfigureAwait(false);
        try
        {
            var answer = new AccelerationCache(key, probed.Accelerator, probed.Explanation);
            await File.WriteAllBytesAsync(
                CachePath, JsonSerializer.SerializeToUtf8Bytes(answer, AccelerationJson.Default.AccelerationCache)).ConfigureAwait(false);
        }
        catch (IOException)
        {
            // The next process probes again.
        }

        return probed;
    }

    private AccelerationCache? ReadCache()
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(CachePath), AccelerationJson.Default.AccelerationCache);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            return null;
        }
    }

    private async Task<string> ReadKeyAsync()
    {
        ProcessResult version = await RunAsync(["--version"], TimeLimit).ConfigureAwait(false);
        string boot = await File.ReadAllTextAsync("/proc/sys/kernel/random/boot_id").ConfigureAwait(false);
        return $"{version.Output.Split('\n')[0].Trim()}; boot {boot.Trim()}";
    }

    private async Task<Acceleration> ProbeAsync()
    {
        string image = Path.Combine(_directory, $"probe-{Guid.NewGuid():N}.rom");
        await File.WriteAllBytesAsync(image, ProbeGuest.BuildImage()).ConfigureAwait(false);
        try
        {
            ProcessResult result = await RunAsync(ProbeGuest.Arguments("kvm", image), TimeLimit).ConfigureAwait(false);
            if (result.ExitCode == ProbeGuest.ExitCodeDone)
                return new Acceleration(Accelerator.Kvm, "KVM: a probe guest ran");
            string problem = result.ExitCode is null
                ? $"a probe guest did not get through within {TimeLimit.TotalSeconds:0} s"
                : "QEMU could not run a probe guest with it: " + FirstLine(result.Output, result.ExitCode.Value);
            return new Acceleration(Accelerator.Tcg, $"KVM is there but {problem}; using TCG (slower)");
        }
        finally
        {
            File.Delete(image);
        }
    }

    private static string FirstLine(string output, int exitCode)
    {
        string line = output.Split('\n')[0].Trim();
        return line.Length == 0 ? $"exit code {exitCode}" : line;
    }

    private async Task<ProcessResult> RunAsync(IReadOnlyList<string> arguments, TimeSpan limit)
    {
        var start = new ProcessStartInfo(_qemuPath) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        foreach (string argument in arguments)
            start.ArgumentList.Add(argument);
        using Process process = Process.Start(start) ?? throw new InvalidOperationException("no process was started");
        using var limited = new CancellationTokenSource(limit);
        try
        {
            Task<string> error = process.StandardError.ReadToEndAsync(limited.Token);
            string output = await process.StandardOutput.ReadToEndAsync(limited.Token).ConfigureAwait(false);
            output += await error.ConfigureAwait(false);
            await process.WaitForExitAsync(limited.Token).ConfigureAwait(false);
            return new ProcessResult(process.ExitCode, output);
        }
        catch (OperationCanceledException)
        {
            return new ProcessResult(null, "");
        }
        finally
        {
            if (!process.HasExited)
                process.Kill();
        }
    }

    private readonly record struct ProcessResult(int? ExitCode, string Output);
}

/// <summary>The kept answer and what it holds for.</summary>
internal sealed record AccelerationCache(string Key, Accelerator Accelerator, string Explanation);

[JsonSourceGenerationOptions(UseStringEnumConverter = true, WriteIndented = true)]
[JsonSerializable(typeof(AccelerationCache))]
internal sealed partial class AccelerationJson : JsonSerializerContext;
