using Iroh.Blobs.Ranges;
using Iroh.Blobs.Transfer.Planning;

namespace Iroh.Blobs.Transfer.Downloading;

/// <summary>A source in the download of one blob. Mutable members are guarded by the lock of the download.</summary>
internal sealed class DownloadSource : IDisposable
{
    /// <summary>A source that was not asked yet.</summary>
    /// <param name="source">Whom to ask.</param>
    /// <param name="stopping">Ends everything with the download.</param>
    public DownloadSource(IBlobSource source, CancellationToken stopping)
    {
        Source = source;
        Stop = CancellationTokenSource.CreateLinkedTokenSource(stopping);
    }

    /// <summary>Whom to ask.</summary>
    public IBlobSource Source { get; }

    /// <summary>Cancelled when the source is dropped or the download ends.</summary>
    public CancellationTokenSource Stop { get; }

    /// <summary>Its place in the plan; -1 before there is one.</summary>
    public int Index { get; set; } = -1;

    /// <summary>How fast it is.</summary>
    public RateMeter Meter { get; } = new();

    /// <summary>What it sent.</summary>
    public long Bytes { get; set; }

    /// <summary>Requests for content that it is answering.</summary>
    public int Requests { get; set; }

    /// <summary>Failures in a row that may pass.</summary>
    public int Strikes { get; set; }

    /// <summary>When it last had something to do or news of what it has, in seconds.</summary>
    public double BusyAt { get; set; }

    /// <summary>Why it was dropped; null while it is not.</summary>
    public BlobTransferException? Failure { get; set; }

    /// <summary>What it says it has; null as long as it has said nothing.</summary>
    public ChunkRanges? Holdings { get; set; }

    /// <summary>Whether it is known to have only a part, so that <see cref="Holdings"/> counts.</summary>
    public bool IsPartial { get; set; }

    /// <summary>Completes when it has said what it has, or that it does not say.</summary>
    public TaskCompletionSource Reported { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Listens to what it says it has; null before it was asked.</summary>
    public Task? Observing { get; set; }

    /// <summary>Whether it does not say what it has, as sources before iroh-blobs 0.90.</summary>
    public bool IsSilent { get; set; }

    /// <inheritdoc/>
    public void Dispose() => Stop.Dispose();
}
