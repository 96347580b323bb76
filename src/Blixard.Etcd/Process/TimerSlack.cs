using System.Runtime.InteropServices;

namespace Blixard.Etcd.Process;

/// <summary>
/// How late the kernel may wake whoever sleeps until a time (prctl(2), PR_SET_TIMERSLACK): 50 µs unless told otherwise.
/// </summary>
/// <remarks>
/// Go's runtime has a thread that looks after the others and sleeps 20 µs in between for as long as there is work. With the kernel's usual
/// slack that thread alone wakes some 7,000 times a second in each etcd, up to a third of the time etcd takes for a put. With a slack
/// of a millisecond it wakes at most 1,000 times. Nothing else in etcd notices: its heartbeats and elections count in tenths of seconds, and
/// what waits for bytes, locks or the disk is woken at once as before.
/// </remarks>
internal static partial class TimerSlack
{
    /// <summary>The slack of etcd.</summary>
    public static readonly TimeSpan OfEtcd = TimeSpan.FromMilliseconds(1);

    private const int SetTimerSlack = 29; // PR_SET_TIMERSLACK; 0 returns to the thread's own
    private const long NanosecondsPerTick = 100;

    /// <summary>Runs <paramref name="start"/>, which starts processes on the calling thread: they inherit the slack, the thread keeps its
    /// own. Where there is no such setting, <paramref name="start"/> runs as it is.</summary>
    public static T Give<T>(TimeSpan slack, Func<T> start)
    {
        if (!OperatingSystem.IsLinux())
            return start();
        // A kernel that refuses leaves things as they were.
        _ = Control(SetTimerSlack, (nuint)(slack.Ticks * NanosecondsPerTick), 0, 0, 0);
        try
        {
            return start();
        }
        finally
        {
            _ = Control(SetTimerSlack, 0, 0, 0, 0);
        }
    }

    [LibraryImport("libc", EntryPoint = "prctl")]
    private static partial int Control(int option, nuint value, nuint unused3, nuint unused4, nuint unused5);
}
