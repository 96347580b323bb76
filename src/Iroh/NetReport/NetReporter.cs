namespace Iroh.NetReport;

/// <summary>
/// Finds out what the network between this machine and the outside is like: public addresses, whether a NAT's mapping varies by
/// destination, how far the relays are, whether a captive portal is in between. One report at a time; thread-safe.
/// </summary>
public sealed class NetReporter : IDisposable
{
    /// <summary>No report takes longer.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    private readonly IProbeSockets _sockets;
    private readonly IAddressProbe? _addressProbe;
    private readonly TimeProvider _time;
    private readonly RelayHttpProbe _http;
    private readonly SemaphoreSlim _running = new(1, 1);
    private NetReportResult? _last;

    /// <summary>Makes a reporter.</summary>
    /// <param name="sockets">The sockets whose public addresses are wanted. Not owned.</param>
    /// <param name="addressProbe">Asks relays by QUIC address discovery from the same sockets; null: nobody is asked that way. Not owned.</param>
    /// <param name="options">How to ask; null for the defaults.</param>
    public NetReporter(IProbeSockets sockets, IAddressProbe? addressProbe = null, NetReporterOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(sockets);
        options ??= new NetReporterOptions();
        (_sockets, _addressProbe, _time) = (sockets, addressProbe, options.Time);
        _http = new RelayHttpProbe(options);
    }

    /// <summary>The last report that was completed; null before the first.</summary>
    public NetReportResult? Last => Volatile.Read(ref _last);

    /// <summary>
    /// Makes a report. It ends when enough is known, at the latest after <see cref="Limit"/>; waits first for one that is going on.
    /// </summary>
    /// <param name="request">What to find out.</param>
    /// <param name="onProgress">
    /// Called with what is known so far whenever that is more than before, one call at a time, on any thread. It returns soon and throws
    /// nothing. A relay that answers is known here seconds before silent ones are given up.
    /// </param>
    /// <param name="cancellationToken">Ends the report without a result.</param>
    /// <exception cref="OperationCanceledException">The token fired.</exception>
    public async Task<NetReportResult> RunAsync(
        NetReportRequest request, Action<NetReportResult>? onProgress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        await _running.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            ReportPlan plan = ReportPlan.Create(request, _sockets.LocalEndPoints, _addressProbe is not null, Last);
            var state = new ReportState(plan, request, Last);
            using var run = new ReportRun(plan, state, _sockets, _addressProbe, _http, _time, onProgress);
            NetReportResult result = await run.RunAsync(Limit, cancellationToken).ConfigureAwait(false);
            Volatile.Write(ref _last, result);
            return result;
        }
        finally
        {
            _running.Release();
        }
    }

    /// <summary>Closes what a report left open. Call it after the last report has ended.</summary>
    public void Dispose()
    {
        _http.Dispose();
        _running.Dispose();
    }
}
