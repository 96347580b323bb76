namespace Blixard.Cli.Relay;

/// <summary>
/// When a relay's heap is collected by order: after many clients have come, in a moment in which the relay has nothing to do. What their
/// handshakes left would stay for hours otherwise, as idle clients allocate nothing that would call the collector. Pure; not thread-safe.
/// </summary>
internal sealed class QuietMoment
{
    /// <summary>How often to ask.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    /// <summary>So many clients more leave some MiB: below that a pause is not worth it.</summary>
    public const int ArrivalsMin = 256;

    /// <summary>Collecting a larger heap would take long enough to be noticed by whoever comes in the middle of it.</summary>
    public const long HeapBytesMax = 256L * 1024 * 1024;

    // Of one processor; a relay with thousands of idle clients takes 1 or 2 %.
    private const double BusyShare = 0.1;

    private int _clientsBefore;
    private int _clientsLeast;
    private TimeSpan _processorTimeBefore;

    /// <summary>Says whether to collect now.</summary>
    /// <param name="clients">How many clients there are.</param>
    /// <param name="processorTime">How much processor time the process has used since its start.</param>
    /// <param name="elapsed">How long ago this was asked last.</param>
    /// <param name="heapBytes">The size of the heap.</param>
    public bool IsNow(int clients, TimeSpan processorTime, TimeSpan elapsed, long heapBytes)
    {
        bool isQuiet = clients <= _clientsBefore && processorTime - _processorTimeBefore < elapsed * BusyShare;
        (_clientsBefore, _processorTimeBefore) = (clients, processorTime);
        _clientsLeast = Math.Min(_clientsLeast, clients);
        if (!isQuiet || clients - _clientsLeast < ArrivalsMin || heapBytes > HeapBytesMax)
            return false;
        _clientsLeast = clients;
        return true;
    }
}
