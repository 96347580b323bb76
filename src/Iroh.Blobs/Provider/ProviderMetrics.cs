using System.Diagnostics.Metrics;

namespace Iroh.Blobs.Provider;

/// <summary>What a provider measures, in the meter "Iroh.Blobs". Costs nearly nothing while nobody listens.</summary>
internal sealed class ProviderMetrics : IDisposable
{
    /// <summary>The meter's name.</summary>
    public const string MeterName = "Iroh.Blobs";

    private readonly Meter _meter;
    private readonly UpDownCounter<long> _active;
    private readonly Counter<long> _requests;
    private readonly Counter<long> _sent;
    private readonly Counter<long> _received;

    /// <summary>Creates the instruments.</summary>
    /// <param name="factory">Owns the meter; null for a meter of its own.</param>
    public ProviderMetrics(IMeterFactory? factory)
    {
        _meter = factory?.Create(MeterName) ?? new Meter(MeterName);
        _active = _meter.CreateUpDownCounter<long>("iroh.blobs.provider.active_requests", "{request}", "Requests that are being served.");
        _requests = _meter.CreateCounter<long>("iroh.blobs.provider.requests", "{request}", "Requests that ended, by kind and outcome.");
        _sent = _meter.CreateCounter<long>("iroh.blobs.provider.sent", "By", "Responses, with sizes and pairs.");
        _received = _meter.CreateCounter<long>("iroh.blobs.provider.pushed", "By", "Content that was pushed, verified.");
    }

    /// <summary>Counts a request that begins.</summary>
    public void OnStarted(BlobRequestKind kind) => _active.Add(1, Kind(kind));

    /// <summary>Counts a request that ended after it began.</summary>
    public void OnStopped(BlobRequestKind kind) => _active.Add(-1, Kind(kind));

    /// <summary>Counts what became of a request.</summary>
    public void OnEnded(BlobRequestKind kind, BlobRequestOutcome outcome) =>
        _requests.Add(1, Kind(kind), new("iroh.blobs.outcome", outcome switch
        {
            BlobRequestOutcome.Completed => "completed",
            BlobRequestOutcome.NotFound => "not_found",
            BlobRequestOutcome.Refused => "refused",
            BlobRequestOutcome.Limited => "limited",
            BlobRequestOutcome.Malformed => "malformed",
            BlobRequestOutcome.Aborted => "aborted",
            BlobRequestOutcome.Damaged => "damaged",
            _ => "failed",
        }));

    /// <summary>Counts bytes of a response.</summary>
    public void OnSent(int bytes) => _sent.Add(bytes);

    /// <summary>Counts content that a push brought.</summary>
    public void OnPushed(int bytes) => _received.Add(bytes);

    /// <inheritdoc/>
    public void Dispose() => _meter.Dispose();

    private static KeyValuePair<string, object?> Kind(BlobRequestKind kind) => new("iroh.blobs.request", kind switch
    {
        BlobRequestKind.Get => "get",
        BlobRequestKind.GetMany => "get_many",
        BlobRequestKind.Observe => "observe",
        _ => "push",
    });
}
