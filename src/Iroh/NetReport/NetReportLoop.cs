using System.Security.Cryptography;
using System.Threading.Channels;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.NetReport;

/// <summary>
/// Makes reports for as long as an endpoint lives: at once, every 20 to 26 seconds, and soon after somebody says that something changed.
/// Thread-safe.
/// </summary>
internal sealed class NetReportLoop : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private readonly ReportSchedule _schedule = new();
    private readonly NetReporter _reporter;
    private readonly Func<NetReportRequest> _request;
    private readonly Action<NetReportResult> _onReport;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Channel<bool> _asked = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly Task _loop;

    /// <summary>Starts.</summary>
    /// <param name="reporter">Makes the reports. Not owned.</param>
    /// <param name="request">What to find out, asked for before each report; its <see cref="NetReportRequest.IsFull"/> is set here.</param>
    /// <param name="onReport">
    /// Called with what is known whenever that is more than before, and with each report that is complete: one call at a time, on any thread.
    /// It returns soon and throws nothing.
    /// </param>
    /// <param name="time">The clock; null for the system's.</param>
    public NetReportLoop(NetReporter reporter, Func<NetReportRequest> request, Action<NetReportResult> onReport, TimeProvider? time = null)
    {
        (_reporter, _request, _onReport, _time) = (reporter, request, onReport, time ?? TimeProvider.System);
        _loop = Task.Run(RunAsync);
    }

    /// <summary>Something changed: makes a report soon.</summary>
    /// <param name="isMajor">Whether the network may be another one altogether, so that everything is asked anew.</param>
    public void Ask(bool isMajor)
    {
        lock (_lock)
            _schedule.Ask(_time.Now(), isMajor);
        _asked.Writer.TryWrite(true);
    }

    /// <summary>Stops; nothing is called any more when this completes.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(false);
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        try
        {
            while (true)
            {
                await WaitAsync().ConfigureAwait(false);
                bool isFull;
                lock (_lock)
                    isFull = _schedule.Begin(_time.Now());
                NetReportResult result = await _reporter.RunAsync(_request() with { IsFull = isFull }, _onReport, _stopping.Token).ConfigureAwait(false);
                _onReport(result);
                lock (_lock)
                    _schedule.End(_time.Now(), result, RandomNumberGenerator.GetInt32(1001) / 1000.0);
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private async Task WaitAsync()
    {
        while (true)
        {
            TimeSpan wait;
            lock (_lock)
            {
                Instant now = _time.Now();
                wait = _schedule.Next - now;
            }

            if (wait <= TimeSpan.Zero)
                return;
            using var due = new CancellationTokenSource(wait, _time);
            using var both = CancellationTokenSource.CreateLinkedTokenSource(due.Token, _stopping.Token);
            try
            {
                await _asked.Reader.ReadAsync(both.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (!_stopping.IsCancellationRequested)
            {
                return;
            }
        }
    }
}
