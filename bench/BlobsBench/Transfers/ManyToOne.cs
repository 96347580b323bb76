using System.Globalization;

namespace BlobsBench.Transfers;

/// <summary>Four providers with a limit each, all of them and with one killed on the way.</summary>
internal static class ManyToOne
{
    private const int Providers = 4;
    private const long LimitBytesPerSecond = 50L << 20;

    public static async Task<int> RunAsync(int mebibytes, int rounds)
    {
        using var scene = new Scene(mebibytes);
        Console.WriteLine($"| {mebibytes} MiB from {Providers} providers of {LimitBytesPerSecond >> 20} MiB/s each | MiB/s | from each |\n|---|---|---|");
        for (int i = 0; i < rounds; i++)
            await MeasureAsync(scene, "all stay", killAfter: null);
        double allSeconds = mebibytes / (double)(Providers * (LimitBytesPerSecond >> 20));
        for (int i = 0; i < rounds; i++)
            await MeasureAsync(scene, "one is killed at about 40 %", TimeSpan.FromSeconds(allSeconds * 0.4));
        return 0;
    }

    private static async Task MeasureAsync(Scene scene, string name, TimeSpan? killAfter)
    {
        var providers = new List<Child>();
        string hash = "";
        for (int i = 0; i < Providers; i++)
        {
            Child provider = await Child.NodeAsync(scene.NewFolder(), LimitBytesPerSecond);
            providers.Add(provider);
            hash = (await provider.AskAsync($"add {scene.File}")).Split(' ')[1];
        }

        await using Child getter = await Child.NodeAsync(scene.NewFolder());
        string copy = Path.Combine(scene.Folder, "copy");
        Task<string> getting = getter.AskAsync($"get {hash} {copy} {string.Join(' ', providers.Select(static provider => provider.Ready))}");
        if (killAfter is { } time)
        {
            await Task.Delay(time);
            providers[1].Kill();
        }

        string done = await getting;
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"| {name} | {OneToOne.Rate(scene, done, copy)} | {string.Join(", ", done.Split(' ').Skip(2))} |"));
        foreach (Child provider in providers)
            await provider.DisposeAsync();
    }
}
