using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace Blixard.Etcd.Process;

/// <summary>
/// Hands etcd's lines to our log without ever making etcd wait: a log that stands still, such as a paused terminal, must not stop a member of
/// the cluster. Lines that find no room are counted and left out.
/// </summary>
internal sealed partial class EtcdLog : IAsyncDisposable
{
    /// <summary>Lines that wait for the log: several starts of etcd with its 40 lines each.</summary>
    private const int LinesMax = 512;

    private readonly ILogger _logger;
    private readonly Channel<EtcdLogLine> _lines = Channel.CreateBounded<EtcdLogLine>(new BoundedChannelOptions(LinesMax) { SingleReader = true });
    private readonly Task _writing;
    private int _missed;

    public EtcdLog(ILogger logger)
    {
        _logger = logger;
        _writing = WriteAllAsync();
    }

    /// <summary>Takes a line for the log.</summary>
    public void Write(EtcdLogLine line)
    {
        if (_logger.IsEnabled(line.Level) && !_lines.Writer.TryWrite(line))
            Interlocked.Increment(ref _missed);
    }

    /// <summary>Writes what waits, and ends.</summary>
    public async ValueTask DisposeAsync()
    {
        _lines.Writer.TryComplete();
        await _writing.ConfigureAwait(false);
    }

    private async Task WriteAllAsync()
    {
        await foreach (EtcdLogLine line in _lines.Reader.ReadAllAsync().ConfigureAwait(false))
        {
            int missed = Interlocked.Exchange(ref _missed, 0);
            if (missed > 0)
                LogMissed(missed);
            LogLine(line.Level, line.Text);
        }
    }

    [LoggerMessage(EventId = 8120, EventName = "EtcdLine", Message = "{Line}")]
    private partial void LogLine(LogLevel level, string line);

    [LoggerMessage(EventId = 8121, EventName = "EtcdLinesMissed", Level = LogLevel.Warning, Message = "{Count} lines of etcd came faster than they could be logged and are left out")]
    private partial void LogMissed(int count);
}
