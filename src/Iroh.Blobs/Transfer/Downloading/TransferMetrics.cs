using System.Diagnostics.Metrics;
using Iroh.Blobs.Provider;

namespace Iroh.Blobs.Transfer.Downloading;

/// <summary>What a downloader measures, in the meter "Iroh.Blobs".</summary>
internal sealed class TransferMetrics : IDisposable
{
    private readonly Meter _meter;
    private readonly Counter<long> _received;
    private readonly Counter<long> _dropped;

    /// <summary>Creates the instruments.</summary>
    /// <param name="factory">Owns the meter; null for a meter of its own.</param>
    public TransferMetrics(IMeterFactory? factory)
    {
        _meter = factory?.Create(ProviderMetrics.MeterName) ?? new Meter(ProviderMetrics.MeterName);
        _received = _meter.CreateCounter<long>("iroh.blobs.downloader.received", "By", "Responses, with sizes and pairs, verified or not.");
        _dropped = _meter.CreateCounter<long>("iroh.blobs.downloader.dropped_sources", "{source}", "Sources that were dropped, by reason.");
    }

    /// <summary>Counts what came.</summary>
    public void OnReceived(int bytes) => _received.Add(bytes);

    /// <summary>Counts a source that was dropped.</summary>
    public void OnDropped(BlobTransferFailure failure) => _dropped.Add(1, new KeyValuePair<string, object?>("iroh.blobs.failure", failure switch
    {
        BlobTransferFailure.NotFound => "not_found",
        BlobTransferFailure.Refused => "refused",
        BlobTransferFailure.Limited => "limited",
        BlobTransferFailure.Lost => "lost",
        BlobTransferFailure.Aborted => "aborted",
        BlobTransferFailure.Lying => "lying",
        BlobTransferFailure.Stalled => "stalled",
        _ => "trickling",
    }));

    /// <inheritdoc/>
    public void Dispose() => _meter.Dispose();
}
