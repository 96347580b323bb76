using System.Net;
using Blixard.Rpc.Diagnostics;
using Microsoft.Extensions.Logging;

namespace Blixard.Node.Metrics;

/// <summary>The numbers of one node, and the ways out for them: <c>/metrics</c> and OTLP, each if the options ask for it. Thread-safe.</summary>
internal sealed class NodeMetrics : IAsyncDisposable
{
    private readonly MeterReader _reader;
    private HttpPages? _pages;
    private IDisposable? _export;

    public NodeMetrics()
    {
        _reader = new MeterReader(Meters);
        Rpc = new RpcMetrics(Meters);
        Raft = new RaftMetrics(Meters);
    }

    /// <summary>Makes the node's meters.</summary>
    public NodeMeters Meters { get; } = new();

    /// <summary>The numbers of calls and tunnels.</summary>
    public RpcMetrics Rpc { get; }

    /// <summary>The numbers of this server's part in Raft, if it has one.</summary>
    public RaftMetrics Raft { get; }

    /// <summary>Where the pages are; null if they are not served.</summary>
    public IPEndPoint? Address => _pages?.Address;

    /// <summary>Begins to tell the numbers where the options say.</summary>
    /// <param name="options">Http and Otlp count.</param>
    /// <param name="name">The node's name.</param>
    /// <param name="trouble">What keeps the node from serving its cluster; "" if nothing does.</param>
    /// <param name="others">The page of a child process, to be passed through below our own; "" if there is none.</param>
    /// <param name="loggers">Gets the web server's messages.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <exception cref="NodeStartException">The address of the pages cannot be bound.</exception>
    public async Task StartAsync(
        NodeOptions options, string name, Func<string> trouble, Func<CancellationToken, Task<string>> others, ILoggerFactory loggers,
        CancellationToken cancellationToken)
    {
        if (options.Otlp is { } collector)
            _export = OtlpExport.Start(collector, name);
        if (options.Http is { } address)
        {
            _pages = await HttpPages.StartAsync(
                address,
                async token =>
                {
                    string text = await others(token).ConfigureAwait(false);
                    return MetricsText.Render(_reader.Read()) + text;
                },
                trouble, loggers, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Sends what is left, ends the pages and the meters.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_pages is not null)
            await _pages.DisposeAsync().ConfigureAwait(false);
        _export?.Dispose();
        Rpc.Dispose();
        _reader.Dispose();
        Meters.Dispose();
    }
}
