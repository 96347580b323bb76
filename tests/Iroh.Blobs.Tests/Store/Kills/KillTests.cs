namespace Iroh.Blobs.Tests.Store.Kills;

/// <summary>Processes that are killed (SIGKILL) in the middle of imports, downloads and collections.</summary>
public sealed class KillTests : IDisposable
{
    private const string Settings = "BLOB_STORE_KILL_SETTINGS";

    private static readonly string? s_settings = Environment.GetEnvironmentVariable(Settings);

    private readonly string? _folder = s_settings is null ? Directory.CreateTempSubdirectory("blob-kill-").FullName : null;

    public void Dispose()
    {
        if (_folder is not null)
            Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public Task A_few_kills_lose_nothing_and_nothing_wrong_is_served() => KillAsync(kills: 4);

    /// <summary>A hundred kills, a third each in imports, downloads and collections.</summary>
    [Fact]
    [Trait("Suite", "Long")]
    public async Task A_hundred_kills_lose_nothing_and_nothing_wrong_is_served()
    {
        KillRun run = await KillAsync(kills: 100);

        // Work that was over when its kill came is done again, so that nearly all kills hit; one in each kind is the least.
        Assert.True(run.Hits is { Import: > 0, Download: > 0, Collect: > 0 }, run.ToString());
    }

    /// <summary>The process that is killed: started by the tests above.</summary>
    [Fact(Explicit = true)]
    public async Task Works_by_order_until_it_is_killed()
    {
        Assert.NotNull(s_settings);
        await KillWork.RunAsync(s_settings);
    }

    private async Task<KillRun> KillAsync(int kills)
    {
        int seed = Environment.TickCount;
        await using var run = new KillRun(_folder!, seed, $"{typeof(KillTests).FullName}.{nameof(Works_by_order_until_it_is_killed)}", Settings);
        await run.RunAsync(kills);
        TestContext.Current.SendDiagnosticMessage(run.ToString());
        TestContext.Current.TestOutputHelper?.WriteLine(run.ToString());
        return run;
    }
}
