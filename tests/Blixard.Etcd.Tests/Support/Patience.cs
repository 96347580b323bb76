namespace Blixard.Etcd.Tests.Support;

/// <summary>Waits for conditions, with a limit that only a hang reaches.</summary>
internal static class Patience
{
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(20);

    public static CancellationTokenSource Start() => new(Limit);

    public static async Task UntilAsync(Func<bool> condition, Func<string> otherwise)
    {
        using CancellationTokenSource limit = Start();
        while (!condition())
        {
            if (limit.IsCancellationRequested)
                Assert.Fail($"not within {Limit.TotalSeconds} s: {otherwise()}");
            await Task.Delay(LookInterval, CancellationToken.None);
        }
    }

    public static Task UntilAsync(Func<bool> condition, string otherwise) => UntilAsync(condition, () => otherwise);
}
