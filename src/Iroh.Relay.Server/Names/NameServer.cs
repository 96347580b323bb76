using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using Iroh.Base;
using Iroh.Dns.Pkarr;
using Iroh.Dns.Zones;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Iroh.Relay.Server.Names;

/// <summary>
/// A small authoritative name server for endpoints: they put their signed packets over HTTP, everybody finds them over DNS (UDP,
/// TCP, HTTPS) or HTTP. <see cref="NameServerEndpoints.MapNameServer"/> adds the HTTP part to an application. Thread-safe.
/// </summary>
public sealed partial class NameServer : IAsyncDisposable
{
    // Often enough that the table of packets stays near its limits, rarely enough to cost nothing.
    private static readonly TimeSpan s_evictionInterval = TimeSpan.FromMinutes(10);

    private readonly Lock _lock = new();
    private readonly NameServerOptions _options;
    private readonly NameZone _zone;
    private readonly PutLimit? _limit;
    private readonly PacketFile? _file;
    private readonly NameServerMetrics _metrics;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopping = new();
    private readonly List<DnsListener> _listeners = [];
    private readonly Task _eviction;
    private readonly Lazy<Task> _disposal;

    private NameServer(NameServerOptions options, NameZone zone, PacketFile? file)
    {
        _options = options;
        _zone = zone;
        _file = file;
        _limit = options.PutBurst > 0 ? new PutLimit(options.PutBurst, options.PutInterval) : null;
        _logger = options.LoggerFactory?.CreateLogger<NameServer>() ?? NullLogger<NameServer>.Instance;
        _metrics = new NameServerMetrics(options.MeterFactory, () => PacketCount);
        _eviction = EvictAsync();
        _disposal = new Lazy<Task>(StopAsync);
    }

    /// <summary>Where DNS is answered, with the real ports.</summary>
    public IReadOnlyList<IPEndPoint> DnsEndPoints => [.. _listeners.Select(listener => listener.EndPoint)];

    /// <summary>The number of packets kept.</summary>
    public int PacketCount
    {
        get
        {
            lock (_lock)
                return _zone.Packets.Count;
        }
    }

    /// <summary>How long the answer "there is no such name" may be kept.</summary>
    internal TimeSpan NegativeTimeToLive => _options.Zone.NegativeTimeToLive;

    /// <summary>Loads the packets, binds the sockets and starts to answer.</summary>
    /// <exception cref="NameServerException">An address cannot be bound or the database cannot be used; the message says what to do.</exception>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public static async Task<NameServer> StartAsync(NameServerOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        var zone = new NameZone(options.Zone);
        PacketFile? file = options.DatabasePath is null ? null : PacketFile.Open(options.DatabasePath);
        try
        {
            if (file is not null)
                await Task.Run(() => Load(zone, file, options), cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            await file!.DisposeAsync().ConfigureAwait(false);
            throw;
        }

        var server = new NameServer(options, zone, file);
        try
        {
            foreach (IPEndPoint endPoint in options.DnsEndPoints)
                server._listeners.Add(DnsListener.Start(server, endPoint, options.Time));
        }
        catch (SocketException exception)
        {
            await server.DisposeAsync().ConfigureAwait(false);
            throw new NameServerException(
                $"DNS cannot be answered at {options.DnsEndPoints[server._listeners.Count]}: {exception.Message}. Is another name server running there, or does the port need more rights?",
                exception);
        }

        LogStarted(server._logger, string.Join(", ", options.Zone.Origins), string.Join(", ", server.DnsEndPoints), server.PacketCount);
        return server;
    }

    /// <summary>Stops answering, writes what waits and closes the database.</summary>
    public ValueTask DisposeAsync() => new(_disposal.Value);

    /// <summary>Answers a DNS query.</summary>
    /// <param name="query">The bytes as they came.</param>
    /// <param name="transport">"udp", "tcp" or "https".</param>
    /// <returns>The answer; null if there is none to give.</returns>
    internal byte[]? Answer(ReadOnlySpan<byte> query, string transport)
    {
        byte[]? answer;
        lock (_lock)
            answer = _zone.Answer(_options.Time.GetUtcNow(), query, isSourceProven: transport != DnsListener.Udp);
        if (answer is not null)
            _metrics.CountQuery(transport, answer);
        return answer;
    }

    /// <summary>The newest packet of an endpoint.</summary>
    internal bool TryGet(EndpointId id, [NotNullWhen(true)] out PkarrPacket? packet)
    {
        lock (_lock)
            return _zone.Packets.TryGet(_options.Time.GetUtcNow(), id, out packet);
    }

    /// <summary>Whether an address may put one more packet now.</summary>
    internal bool MayPut(IPAddress address, out TimeSpan retryAfter)
    {
        retryAfter = TimeSpan.Zero;
        bool allowed;
        lock (_lock)
            allowed = _limit is null || _limit.TryTake(_options.Time.GetUtcNow(), address, out retryAfter);
        if (!allowed)
            _metrics.CountPut("limited");
        return allowed;
    }

    /// <summary>Takes a packet in; an older one than is known changes nothing, which is no error.</summary>
    /// <returns>What is wrong with it; null if nothing is.</returns>
    /// <exception cref="SqliteException">It cannot be kept on disk; it is answered from until the server stops.</exception>
    internal async Task<string?> PutAsync(EndpointId id, ReadOnlyMemory<byte> payload)
    {
        if (!PkarrPacket.TryRead(id, payload.Span, out PkarrPacket? packet, out string? problem))
        {
            _metrics.CountPut("malformed");
            return problem;
        }

        DateTimeOffset now = _options.Time.GetUtcNow();
        bool isStored;
        lock (_lock)
            isStored = _zone.Packets.Put(now, packet);
        _metrics.CountPut(isStored ? "stored" : "stale");
        if (isStored && _file is not null)
            await _file.SaveAsync(packet, now).ConfigureAwait(false);
        return null;
    }

    private static void Load(NameZone zone, PacketFile file, NameServerOptions options)
    {
        DateTimeOffset now = options.Time.GetUtcNow();
        foreach ((PkarrPacket packet, DateTimeOffset arrivedAt) in file.Load(now - options.Zone.Retention, options.Zone.PacketsMax))
            zone.Packets.Put(arrivedAt < now ? arrivedAt : now, packet);
    }

    private async Task EvictAsync()
    {
        using var timer = new PeriodicTimer(s_evictionInterval, _options.Time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stopping.Token).ConfigureAwait(false))
            {
                DateTimeOffset now = _options.Time.GetUtcNow();
                lock (_lock)
                    _zone.Packets.Evict(now);
                if (_file is not null)
                    await TrimAsync(_file, now).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private async Task TrimAsync(PacketFile file, DateTimeOffset now)
    {
        try
        {
            await file.TrimAsync(now - _options.Zone.Retention, _options.Zone.PacketsMax, _stopping.Token).ConfigureAwait(false);
        }
        catch (SqliteException exception)
        {
            LogTrimFailed(_logger, exception);
        }
    }

    private async Task StopAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        foreach (DnsListener listener in _listeners)
            await listener.DisposeAsync().ConfigureAwait(false);
        await _eviction.ConfigureAwait(false);
        if (_file is not null)
            await _file.DisposeAsync().ConfigureAwait(false);
        _metrics.Dispose();
        _stopping.Dispose();
    }
}
