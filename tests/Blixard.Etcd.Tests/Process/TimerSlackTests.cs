using System.Globalization;
using System.Runtime.InteropServices;
using Blixard.Etcd.Process;
using Blixard.Etcd.Tests.Support;

namespace Blixard.Etcd.Tests.Process;

/// <summary>What the kernel says of the processes themselves.</summary>
public sealed partial class TimerSlackTests : IDisposable
{
    private readonly EtcdDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task What_runs_as_etcd_has_the_slack_and_the_thread_that_started_it_keeps_its_own()
    {
        string directory = Directory.CreateDirectory(_directory.At("etcd")).FullName;
        int before = OfThisThread(GetTimerSlack), after;
        using (EtcdRun run = Start(out after))
        {
            using var output = new StreamReader(run.Output);
            string slack = await output.ReadToEndAsync(TestContext.Current.CancellationToken);
            Assert.Equal(0, await run.WaitForEndAsync());
            Assert.Equal(TimerSlack.OfEtcd.TotalNanoseconds, double.Parse(slack, CultureInfo.InvariantCulture));
        }

        Assert.Equal(before, after);

        EtcdRun Start(out int own)
        {
            EtcdRun run = EtcdRun.Start("/bin/cat", directory, ["/proc/self/timerslack_ns"]);
            own = OfThisThread(GetTimerSlack);
            return run;
        }
    }

    private const int GetTimerSlack = 30; // PR_GET_TIMERSLACK: prctl(2) answers it for the calling thread alone

    [LibraryImport("libc", EntryPoint = "prctl")]
    private static partial int OfThisThread(int option);
}
