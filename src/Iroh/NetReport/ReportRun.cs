using System.Net.Sockets;

namespace Iroh.NetReport;

/// <summary>One report while it goes on: asks what the plan says, all at once, and tells the state what came.</summary>
internal sealed class ReportRun : IDisposable
{
    // Each probe alone gets no more than this.
    private static readonly TimeSpan s_probeLimit = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan s_captivePortalLimit = TimeSpan.FromSeconds(2);

    private readonly Lock _lock = new();
    private readonly ReportPlan _plan;
    private readonly ReportState _state;
    private readonly IProbeSockets _sockets;
    private readonly IAddressProbe? _addressProbe;
    private readonly RelayHttpProbe _http;
    private readonly TimeProvider _time;
    private readonly Action<NetReportResult>? _onProgress;
    private readonly TaskCompletionSource _enough = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _stopping = new();

    /// <summary>A report that has not begun.</summary>
    public ReportRun(
        ReportPlan plan, ReportState state, IProbeSockets sockets, IAddressProbe? addressProbe, RelayHttpProbe http, TimeProvider time,
        Action<NetReportResult>? onProgress)
    {
        (_plan, _state, _sockets, _addressProbe, _http) = (plan, state, sockets, addressProbe, http);
        (_time, _onProgress) = (time, onProgress);
    }

    /// <summary>Asks until enough is known or the time is up.</summary>
    public async Task<NetReportResult> RunAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        PlannedProbe[] stun = [.. _plan.Probes.Where(probe => probe.Kind == ProbeKind.Stun)];
        Task[] probes =
        [
            .. _plan.Probes.Except(stun).Select(probe => Task.Run(() => AskAsync(probe), CancellationToken.None)),
            .. stun.GroupBy(probe => probe.Server!).Select(group => Task.Run(() => AskStunAsync(group.Key, [.. group]), CancellationToken.None)),
        ];
        if (probes.Length == 0)
            _enough.TrySetResult();
        try
        {
            await _enough.Task.WaitAsync(limit, _time, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
        }
        finally
        {
            await _stopping.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(probes).ConfigureAwait(false);
        }

        lock (_lock)
            return _state.Build(_time.GetUtcNow(), isComplete: true);
    }

    /// <inheritdoc/>
    public void Dispose() => _stopping.Dispose();

    private async Task AskAsync(PlannedProbe probe)
    {
        TimeSpan patience = probe.Kind == ProbeKind.CaptivePortal ? s_captivePortalLimit : s_probeLimit;
        using var limit = new CancellationTokenSource(probe.Delay + patience, _time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, _stopping.Token);
        try
        {
            if (probe.Delay > TimeSpan.Zero)
                await Task.Delay(probe.Delay, _time, both.Token).ConfigureAwait(false);
            bool isWanted;
            lock (_lock)
                isWanted = _state.IsWorthAsking(probe);
            if (isWanted)
                await AskAsync(probe, both.Token).ConfigureAwait(false);
            else
                Tell(state => state.OnFailed(probe, null));
        }
        catch (ProbeException exception)
        {
            Tell(state => state.OnFailed(probe, exception.Message));
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // The report has ended: nobody is to blame.
        }
        catch (OperationCanceledException)
        {
            Tell(state => state.OnFailed(probe, Unanswered(probe, patience)));
        }
        catch (Exception exception)
        {
            // One probe that fails in its own way is not to take the others with it.
            Tell(state => state.OnFailed(probe, $"{probe.Relay!.Url} could not be asked: {exception.Message}"));
        }
    }

    private async Task AskAsync(PlannedProbe probe, CancellationToken cancellationToken)
    {
        RelayConfiguration relay = probe.Relay!;
        switch (probe.Kind)
        {
            case ProbeKind.AddressDiscovery:
                ObservedAddress observed = await _addressProbe!.ProbeAsync(relay, probe.Family, cancellationToken).ConfigureAwait(false);
                Tell(state => state.OnObserved(probe, observed));
                break;
            case ProbeKind.Https:
                await _http.MeasureAsync(
                    relay, (roundTrip, isLast) => Tell(state => state.OnHttps(probe, roundTrip, isLast)), cancellationToken).ConfigureAwait(false);
                break;
            case ProbeKind.CaptivePortal:
                bool isCaptive = await _http.IsCaptivePortalAsync(relay, cancellationToken).ConfigureAwait(false);
                Tell(state => state.OnCaptivePortal(probe, isCaptive));
                break;
        }
    }

    private async Task AskStunAsync(StunServer server, PlannedProbe[] probes)
    {
        try
        {
            await new StunRun(_sockets, _time).RunAsync(
                server,
                probes,
                (probe, observed) => Tell(state => state.OnObserved(probe, observed)),
                (probe, problem) => Tell(state => state.OnFailed(probe, problem)),
                _stopping.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
        }
        catch (Exception exception)
        {
            foreach (PlannedProbe probe in probes)
                Tell(state => state.OnFailed(probe, $"STUN server {server} could not be asked: {exception.Message}"));
        }
    }

    private void Tell(Func<ReportState, bool> input)
    {
        lock (_lock)
        {
            // What comes after the end is not reported any more.
            if (_enough.Task.IsCompleted || _stopping.IsCancellationRequested)
                return;
            bool isNew = input(_state);
            if (_state.IsEnough)
                _enough.TrySetResult();
            else if (isNew)
                _onProgress?.Invoke(_state.Build(_time.GetUtcNow(), isComplete: false));
        }
    }

    private static string Unanswered(PlannedProbe probe, TimeSpan patience) => probe.Kind switch
    {
        ProbeKind.AddressDiscovery =>
            $"{probe.Relay!.Url} did not answer address discovery on UDP port {probe.Relay.AddressDiscoveryPort} over "
                + $"{(probe.Family == AddressFamily.InterNetwork ? "IPv4" : "IPv6")} within {patience.TotalSeconds:0} s.",
        ProbeKind.CaptivePortal => $"{probe.Relay!.Url} did not answer the question for a captive portal within {patience.TotalSeconds:0} s.",
        _ => $"{probe.Relay!.Url} did not answer a request over HTTP within {patience.TotalSeconds:0} s.",
    };
}
