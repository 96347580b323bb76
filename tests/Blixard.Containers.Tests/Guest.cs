using System.Diagnostics;

[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace Blixard.Containers.Tests;

/// <summary>The kernel, modules and busybox that build/guest-image.sh makes, built once.</summary>
public sealed class Guest : IAsyncLifetime
{
    /// <summary>Every wait for a guest: a boot takes 3 s alone on a core, and there may be far less than a core.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);

    public static string RepositoryRoot
    {
        get
        {
            DirectoryInfo? directory = new(AppContext.BaseDirectory);
            while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "Blixard.slnx")))
                directory = directory.Parent;
            return directory?.FullName ?? throw new DirectoryNotFoundException("Blixard.slnx is in no parent of the tests");
        }
    }

    public GuestFiles Files { get; } = GuestFiles.In(Path.Combine(RepositoryRoot, "artifacts", "guest"));

    public byte[] Busybox => File.ReadAllBytes(Files.BusyboxPath);

    public async ValueTask InitializeAsync()
    {
        var start = new ProcessStartInfo(Path.Combine(RepositoryRoot, "build", "guest-image.sh")) { RedirectStandardError = true };
        start.ArgumentList.Add(Path.GetDirectoryName(Files.KernelPath)!);
        using Process script = Process.Start(start)!;
        string said = await script.StandardError.ReadToEndAsync();
        await script.WaitForExitAsync();
        Assert.True(script.ExitCode == 0, "guest-image.sh failed: " + said);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

[CollectionDefinition(nameof(Guest))]
public sealed class GuestCollection : ICollectionFixture<Guest>;
