using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Blixard.FakeQemu;

/// <summary>
/// The record of this process: a file with a line for its start, one for each sign of life and one for its end, each with the machine's
/// monotonic clock in nanoseconds, which all processes share and no setting of the time changes.
/// </summary>
internal sealed class Life : IDisposable
{
    // How exactly the end of a killed process is known.
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(20);

    private readonly Lock _lock = new();
    private readonly FileStream _file;
    private readonly Timer _timer;

    public Life(string folder, string name, string host)
    {
        Directory.CreateDirectory(folder);
        _file = new FileStream(
            Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"{name}-{Environment.ProcessId}-{Stopwatch.GetTimestamp()}.life")),
            FileMode.CreateNew, FileAccess.Write, FileShare.Read, bufferSize: 0);
        Write($"start {name} {(host.Length > 0 ? host : "?")}");
        _timer = new Timer(_ => Write("alive"), null, s_interval, s_interval);
    }

    public void Dispose()
    {
        _timer.Dispose();
        lock (_lock)
        {
            Write("end");
            _file.Dispose();
        }
    }

    private void Write(string what)
    {
        lock (_lock)
        {
            // A timer's last call may come after the end.
            if (_file.CanWrite)
                _file.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{Stopwatch.GetTimestamp()} {what}\n")));
        }
    }
}
