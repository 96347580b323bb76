using System.Net.Sockets;
using System.Text.Json;
using Blixard.MicroVm.Drivers;
using Blixard.MicroVm.Model;

namespace Blixard.MicroVm.Qemu;

/// <summary>Runs VMs on QEMU's microvm machine, one process each. Thread-safe.</summary>
public sealed class QemuDriver : IVmDriver
{
    /// <summary>How often a starting QEMU's socket is tried.</summary>
    private static readonly TimeSpan ConnectInterval = TimeSpan.FromMilliseconds(10);

    /// <summary>How long a QEMU that we did not start gets to answer before it counts as hung. It answers in milliseconds.</summary>
    private static readonly TimeSpan AdoptLimit = TimeSpan.FromSeconds(5);

    private readonly QemuDriverOptions _options;
    private readonly Lock _lock = new();
    private AccelerationProbe? _probe;

    /// <summary>Creates a driver. Nothing is looked at until the first use.</summary>
    public QemuDriver(QemuDriverOptions options)
    {
        _options = options;
    }

    /// <summary>What guests run on here; the first call tries it out, which takes up to 3 s.</summary>
    /// <exception cref="VmException">QEMU is not installed.</exception>
    public ValueTask<Acceleration> GetAccelerationAsync(CancellationToken cancellationToken)
    {
        if (_options.Accelerator is { } chosen)
            return ValueTask.FromResult(new Acceleration(chosen, $"{(chosen == Accelerator.Kvm ? "KVM" : "TCG")}: chosen in the configuration"));
        string program = FindProgram();
        AccelerationProbe probe;
        lock (_lock)
        {
            Directory.CreateDirectory(_options.DataDirectory);
            probe = _probe ??= new AccelerationProbe(program, _options.DataDirectory);
        }

        return probe.GetAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask<IVmInstance> StartAsync(VmLaunch launch, CancellationToken cancellationToken)
    {
        VmSpec spec = launch.Spec;
        if (spec.Check() is { } wrong)
            throw new VmException(VmFailure.InvalidSpec, wrong);
        if (!OperatingSystem.IsLinux())
            throw new VmException(VmFailure.HypervisorMissing, "VMs run on Linux only");
        string program = FindProgram();
        CheckFile("kernel", spec.KernelPath);
        if (spec.InitramfsPath is { } initramfs)
            CheckFile("initramfs", initramfs);
        foreach (VmDisk disk in spec.Disks)
            CheckFile("disk", disk.Path);
        QemuPaths paths = QemuPaths.For(launch.Place, _options.RuntimeDirectory);
        Guid uuid = QemuPaths.UuidFor(launch.Place.Directory);
        if (QemuProcess.Find(uuid, paths.PidFile) is { } running)
            throw new VmException(VmFailure.AlreadyRunning, $"a QEMU process of this VM runs already (pid {running.Id})");
        Acceleration acceleration = await GetAccelerationAsync(cancellationToken).ConfigureAwait(false);
        CreateSocketDirectory(paths);
        DeleteRunFiles(paths);
        QemuWatch? watch = launch.Generation is { } generation
            ? new QemuWatch(
                _options.Guard?.Directory ?? throw new VmException(VmFailure.StartFailed, "there is no guard for VMs that may move"), generation)
            : null;

        IReadOnlyList<string> arguments = QemuCommandLine.Build(spec, acceleration.Accelerator, paths, uuid);
        QemuProcess process = QemuProcess.Start(program, arguments, uuid, launch.Place.Directory, paths.ErrorLog, watch);
        try
        {
            QmpClient qmp = await ConnectAsync(process, paths, cancellationToken).ConfigureAwait(false);
            return new QemuInstance(process, qmp, paths, launch.Place.Log, NameOf(acceleration.Accelerator));
        }
        catch
        {
            process.Kill();
            await process.WaitForEndAsync(CancellationToken.None).ConfigureAwait(false);
            process.Dispose();
            DeleteRunFiles(paths);
            throw;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<IVmInstance?> AdoptAsync(VmPlace place, CancellationToken cancellationToken)
    {
        QemuPaths paths = QemuPaths.For(place, _options.RuntimeDirectory);
        Guid uuid = QemuPaths.UuidFor(place.Directory);
        if (QemuProcess.Find(uuid, paths.PidFile) is not { } process)
            return null;
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limited.CancelAfter(AdoptLimit);
        try
        {
            QmpClient qmp = await ConnectAsync(process, paths, limited.Token).ConfigureAwait(false);
            JsonElement answer = await qmp.ExecuteAsync("query-uuid", null, limited.Token).ConfigureAwait(false);
            JsonElement kvm = await qmp.ExecuteAsync("query-kvm", null, limited.Token).ConfigureAwait(false);
            // We may have been killed while the guest was paused for a rotation of its log.
            await qmp.ExecuteAsync("cont", null, limited.Token).ConfigureAwait(false);
            if (answer.GetProperty("UUID").GetString() == uuid.ToString("D"))
            {
                Accelerator accelerator = kvm.GetProperty("enabled").GetBoolean() ? Accelerator.Kvm : Accelerator.Tcg;
                return new QemuInstance(process, qmp, paths, place.Log, NameOf(accelerator));
            }

            await qmp.DisposeAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (e is VmException or QmpException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            // It does not answer: nobody can ever stop it in order.
        }

        process.Kill();
        await process.WaitForEndAsync(cancellationToken).ConfigureAwait(false);
        return null;
    }

    /// <inheritdoc/>
    public ValueTask RemoveAsync(VmPlace place, CancellationToken cancellationToken)
    {
        QemuPaths paths = QemuPaths.For(place, _options.RuntimeDirectory);
        DeleteRunFiles(paths);
        if (paths.SocketDirectory is { } sockets && Directory.Exists(sockets))
            Directory.Delete(sockets, recursive: true);
        return ValueTask.CompletedTask;
    }

    private static string NameOf(Accelerator accelerator) => accelerator == Accelerator.Kvm ? "kvm" : "tcg";

    private async Task<QmpClient> ConnectAsync(QemuProcess process, QemuPaths paths, CancellationToken cancellationToken)
    {
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limited.CancelAfter(_options.StartLimit);
        try
        {
            while (true)
            {
                try
                {
                    return await QmpClient.ConnectAsync(paths.QmpSocket, limited.Token).ConfigureAwait(false);
                }
                catch (Exception e) when (e is SocketException or QmpException { Failure: QmpFailure.Closed })
                {
                    if (!process.IsAlive)
                        throw await ExplainEndAsync(process, paths).ConfigureAwait(false);
                }

                await Task.Delay(ConnectInterval, limited.Token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new VmException(VmFailure.StartFailed, $"QEMU did not answer within {_options.StartLimit.TotalSeconds:0} s");
        }
        catch (QmpException e)
        {
            throw new VmException(VmFailure.StartFailed, $"QEMU's control socket failed: {e.Message}", e);
        }
    }

    private static async Task<VmException> ExplainEndAsync(QemuProcess process, QemuPaths paths)
    {
        await process.WaitForEndAsync(CancellationToken.None).ConfigureAwait(false);
        string said = QemuProcess.ReadErrorTail(paths.ErrorLog);
        if (PortTrouble.Find(said) is { } port)
            return new VmException(VmFailure.StartFailed, PortTrouble.Explain(port));
        string code = process.ExitCode is { } exitCode ? $" (exit code {exitCode})" : "";
        return new VmException(VmFailure.StartFailed, $"QEMU ended at once{code}: {(said.Length == 0 ? "it said nothing" : said)}");
    }

    private static void CheckFile(string what, string path)
    {
        try
        {
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            string why = e is FileNotFoundException or DirectoryNotFoundException ? "does not exist" : "cannot be read";
            throw new VmException(VmFailure.FileMissing, $"the {what} {path} {why}", e);
        }
    }

    private static void CreateSocketDirectory(QemuPaths paths)
    {
        if (paths.SocketDirectory is not { } sockets || !OperatingSystem.IsLinux())
            return;
        try
        {
            Directory.CreateDirectory(sockets, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VmException(VmFailure.DirectoryUnusable, $"the runtime directory {sockets} cannot be made: {e.Message}", e);
        }
    }

    private static void DeleteRunFiles(QemuPaths paths)
    {
        if (paths.SocketDirectory is { } sockets && !Directory.Exists(sockets))
            return;
        File.Delete(paths.QmpSocket);
        File.Delete(paths.ConsoleSocket);
    }

    private string FindProgram()
    {
        string program = _options.Program;
        IEnumerable<string> candidates = program.Contains('/', StringComparison.Ordinal)
            ? [Path.GetFullPath(program)]
            : (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Where(static part => part.StartsWith('/')).Select(part => Path.Combine(part, program));
        return candidates.FirstOrDefault(File.Exists)
            ?? throw new VmException(VmFailure.HypervisorMissing, $"{program} is not installed (Debian: apt-get install qemu-system-x86)");
    }
}
