using System.Globalization;

namespace Blixard.Cluster.Liveness;

/// <summary>Until when a node may run the VMs that may move.</summary>
/// <param name="Deadline">The moment, by the node's clock, at which the last of them must be dying.</param>
/// <param name="Generation">Counts the interruptions of the right to run them.</param>
public readonly record struct FencingTerm(TimeSpan Deadline, long Generation);

/// <summary>
/// Decides whether a node may run the VMs that may move. Pure: the node's clock comes in as an argument. Not thread-safe.
///
/// The rule: a VM is moved only in a transaction that finds the owner's alive key absent, and the key is absent only after the lease has
/// ended. The lease ends no earlier than its time to live after the last renewal was sent. The deadline is a margin before that.
///   none -Open-> running -Renew-> running;  running -(StopAt passes, Lose)-> none;  none or running -TryContinue-> running
/// </summary>
public sealed class FencingClock
{
    private long _lease;
    private TimeSpan _sentAt;
    private TimeSpan _lead;
    private string _lost = "this node has no lease yet";

    /// <summary>A clock.</summary>
    /// <param name="inherited">What the node's former process left; null if nothing that still counts.</param>
    /// <param name="times">The times of the leases that will be.</param>
    public FencingClock(FencingTerm? inherited, LeaseTimes times)
    {
        Term = inherited ?? default;
        _lead = times.Lead;
        _sentAt = Term.Deadline;
    }

    /// <summary>What the guard must be told.</summary>
    public FencingTerm Term { get; private set; }

    /// <summary>When the node itself ends the VMs that may move, unless the lease is renewed before.</summary>
    public TimeSpan StopAt => Term.Deadline - _lead;

    /// <summary>Whether VMs that may move may run, and new ones be started.</summary>
    public bool MayRun(TimeSpan now) => now < StopAt;

    /// <summary>
    /// Takes a new lease over from the former one, also from that of the node's former process: VMs run on. It can only be done before
    /// the former deadline, as the alive key then has not been absent in between.
    /// </summary>
    /// <param name="lease">The new lease, on which the alive key hangs already.</param>
    /// <param name="sentAt">When the lease was asked for.</param>
    /// <param name="times">Its times.</param>
    /// <param name="now">Now, after the answer about the alive key.</param>
    /// <returns>False: <see cref="Interrupt"/>, end all VMs that may move, and only then <see cref="Open"/>.</returns>
    public bool TryContinue(long lease, TimeSpan sentAt, LeaseTimes times, TimeSpan now)
    {
        if (now >= Term.Deadline)
            return false;
        Open(lease, sentAt, times);
        return true;
    }

    /// <summary>No VM that may move may run any more, and no start that was allowed before may happen.</summary>
    /// <returns>What the guard must be told before anything is ended, so that nothing starts behind it.</returns>
    public FencingTerm Interrupt() => Term = new FencingTerm(TimeSpan.Zero, Term.Generation + 1);

    /// <summary>Begins with a new lease; no VM that may move runs.</summary>
    public void Open(long lease, TimeSpan sentAt, LeaseTimes times)
    {
        _lease = lease;
        Renew(lease, sentAt, times);
    }

    /// <summary>The store has renewed the lease, so it had not ended, and nothing has moved. A renewal of another lease is nothing.</summary>
    /// <param name="lease">The lease.</param>
    /// <param name="sentAt">When the request was sent.</param>
    /// <param name="times">The lease's times.</param>
    public void Renew(long lease, TimeSpan sentAt, LeaseTimes times)
    {
        if (lease != _lease)
            return;
        (_sentAt, _lead) = (sentAt, times.Lead);
        Term = Term with { Deadline = sentAt + times.TimeToLive - times.Margin };
        _lost = "";
    }

    /// <summary>The store does not know the lease any more.</summary>
    public void Lose()
    {
        (_lease, _lost) = (0, "the cluster has ended this node's lease");
        Interrupt();
    }

    /// <summary>Why VMs that may move do not run, for people.</summary>
    public string Explain(TimeSpan now) => _lost.Length > 0
        ? _lost
        : string.Create(CultureInfo.InvariantCulture, $"this node could not renew its lease for {(now - _sentAt).TotalSeconds:0.0} s");
}
