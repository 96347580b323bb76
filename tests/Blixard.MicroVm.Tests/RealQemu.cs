using System.Diagnostics;

[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace Blixard.MicroVm.Tests;

/// <summary>The guest image that build/guest-image.sh makes, built once for all tests that boot it.</summary>
public sealed class RealQemu : IAsyncLifetime
{
    /// <summary>Every wait for a guest: a boot takes 2 s alone on a core, and there may be far less than a core.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);

    public string KernelPath => Path.Combine(Directory, "vmlinuz");

    public string InitramfsPath => Path.Combine(Directory, "initramfs.cpio.gz");

    private static string Directory => Path.Combine(RepositoryRoot, "artifacts", "guest");

    private static string RepositoryRoot
    {
        get
        {
            DirectoryInfo? directory = new(AppContext.BaseDirectory);
            while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "Blixard.slnx")))
                directory = directory.Parent;
            return directory?.FullName ?? throw new DirectoryNotFoundException("Blixard.slnx is in no parent of the tests");
        }
    }

    public async ValueTask InitializeAsync()
    {
        var start = new ProcessStartInfo(Path.Combine(RepositoryRoot, "build", "guest-image.sh")) { RedirectStandardError = true };
        start.ArgumentList.Add(Directory);
        using Process script = Process.Start(start)!;
        string said = await script.StandardError.ReadToEndAsync();
        await script.WaitForExitAsync();
        Assert.True(script.ExitCode == 0, "guest-image.sh failed: " + said);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

[CollectionDefinition(nameof(RealQemu))]
public sealed class RealQemuCollection : ICollectionFixture<RealQemu>;
