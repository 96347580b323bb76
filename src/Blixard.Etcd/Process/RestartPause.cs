namespace Blixard.Etcd.Process;

/// <summary>How long to wait before etcd is started again: 100 ms, doubled with each failure up to 10 s.</summary>
internal sealed class RestartPause
{
    /// <summary>After the first failure: a crash costs the cluster little more than an election.</summary>
    public static readonly TimeSpan First = TimeSpan.FromMilliseconds(100);

    /// <summary>The longest: a disk that was full, or a peer that came back, is noticed soon after.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromSeconds(10);

    /// <summary>A run that served for so long was a good one, and what ended it is news.</summary>
    public static readonly TimeSpan GoodRun = TimeSpan.FromSeconds(30);

    private TimeSpan _next = First;

    /// <summary>The pause after a run that served for <paramref name="served"/>.</summary>
    public TimeSpan After(TimeSpan served)
    {
        TimeSpan pause = served >= GoodRun ? First : _next;
        _next = pause * 2 < Longest ? pause * 2 : Longest;
        return pause;
    }
}
