namespace Blixard.Images;

/// <summary>Bytes a second since it was made. Thread-safe.</summary>
internal sealed class TransferRate(TimeProvider time)
{
    private readonly long _started = time.GetTimestamp();

    public long Of(long bytes)
    {
        double seconds = time.GetElapsedTime(_started).TotalSeconds;
        return seconds > 0 ? (long)(bytes / seconds) : 0;
    }
}
