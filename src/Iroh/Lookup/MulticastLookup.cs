using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Iroh.Base;
using Iroh.Dns;
using Iroh.Dns.Multicast;
using Iroh.Lookup.Multicast;

namespace Iroh.Lookup;

/// <summary>
/// Finds endpoints of the same link over multicast DNS and is found by them, iroh's included, without any server. Anybody on the
/// link can announce anything; the handshake shows who is who.
/// </summary>
public sealed class MulticastLookup : IAddressLookup, IAsyncDisposable
{
    // As iroh: who has not answered by then is not on the link.
    private static readonly TimeSpan s_searchTime = TimeSpan.FromSeconds(10);

    // Listing interfaces costs a millisecond; a new one need not be found sooner.
    private static readonly TimeSpan s_interfacesInterval = TimeSpan.FromSeconds(5);

    // After a receive error, so that one that stays does not keep a processor busy.
    private static readonly TimeSpan s_pauseAfterError = TimeSpan.FromMilliseconds(100);

    // Changes of one endpoint wait here for whoever looks for it; the newest count.
    private const int ResultsWaitingMax = 4;

    private readonly Lock _lock = new();
    private readonly MulticastLookupOptions _options;
    private readonly MulticastDiscovery _discovery;
    private readonly List<MulticastGroup> _groups;
    private readonly List<(EndpointId Id, Channel<EndpointRecord> Results)> _searches = [];
    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });

    private readonly CancellationTokenSource _stopping = new();
    private readonly long _startedAt;
    private readonly Task _loops;
    private readonly Lazy<Task> _disposal;

    private MulticastLookup(MulticastLookupOptions options, List<MulticastGroup> groups)
    {
        _options = options;
        _groups = groups;
        _startedAt = options.Time.GetTimestamp();
        _discovery = new MulticastDiscovery(options.Id, options.Random);
        _loops = Task.WhenAll([Task.Run(RunAsync), .. groups.Select(group => Task.Run(() => ReceiveAsync(group)))]);
        _disposal = new Lazy<Task>(StopAsync);
    }

    /// <inheritdoc/>
    public string Name => "mdns";

    /// <summary>Joins the groups of IPv4 and IPv6, or of the one that there is.</summary>
    /// <exception cref="MulticastUnavailableException">There is none; the message says why.</exception>
    public static MulticastLookup Start(MulticastLookupOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var groups = new List<MulticastGroup>();
        SocketException? failure = null;
        foreach (IPAddress address in new[] { MulticastMessage.GroupV4, MulticastMessage.GroupV6 })
        {
            try
            {
                groups.Add(MulticastGroup.Open(address));
            }
            catch (SocketException exception)
            {
                failure = exception;
            }
        }

        return groups.Count > 0 ? new MulticastLookup(options, groups) : throw new MulticastUnavailableException(failure!);
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The record is another endpoint's.</exception>
    public ValueTask PublishAsync(EndpointRecord record, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(record);
        if (record.Id != _options.Id)
            throw new ArgumentException($"The record of {record.Id.ToShortString()} cannot be announced by {_options.Id.ToShortString()}.", nameof(record));
        EndpointRecord filtered = record.Where(_options.Filter);
        lock (_lock)
            _discovery.SetOwn(Now(), filtered);
        _wake.Writer.TryWrite(true);
        return ValueTask.CompletedTask;
    }

    /// <summary>Gives what is known at once and what is heard within 10 s.</summary>
    /// <inheritdoc cref="IAddressLookup.ResolveAsync"/>
    public async IAsyncEnumerable<LookupResult> ResolveAsync(
        EndpointId id, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var results = Channel.CreateBounded<EndpointRecord>(
            new BoundedChannelOptions(ResultsWaitingMax) { FullMode = BoundedChannelFullMode.DropOldest });
        lock (_lock)
        {
            if (!_discovery.Seek(Now(), id))
                throw new AddressLookupException(id, isNotFound: false, $"More than {MulticastDiscovery.SoughtMax} endpoints are looked for at once.");
            _searches.Add((id, results));
            if (_discovery.Find(id) is { } known)
                results.Writer.TryWrite(known);
        }

        _wake.Writer.TryWrite(true);
        try
        {
            using var timeout = new CancellationTokenSource(s_searchTime, _options.Time);
            using var stopping = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token, _stopping.Token);
            while (await WaitAsync(results.Reader, stopping.Token, cancellationToken).ConfigureAwait(false))
            {
                while (results.Reader.TryRead(out EndpointRecord? record))
                    yield return new LookupResult(record.Address, Name, UpdatedAt: null, record.UserData);
            }
        }
        finally
        {
            lock (_lock)
            {
                _discovery.Unseek(id);
                _searches.Remove((id, results));
            }
        }
    }

    /// <summary>Says goodbye on every interface and leaves the groups.</summary>
    public ValueTask DisposeAsync() => new(_disposal.Value);

    /// <summary>Waits for a result.</summary>
    /// <returns>False when the search is over.</returns>
    /// <exception cref="OperationCanceledException">The caller has given up.</exception>
    private static async Task<bool> WaitAsync(
        ChannelReader<EndpointRecord> results, CancellationToken stopping, CancellationToken cancellationToken)
    {
        try
        {
            return await results.WaitToReadAsync(stopping).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    }

    private TimeSpan Now() => _options.Time.GetElapsedTime(_startedAt);

    private async Task ReceiveAsync(MulticastGroup group)
    {
        byte[] buffer = new byte[MulticastMessage.LengthMax + 1];
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                int length = await group.ReceiveAsync(buffer, _stopping.Token).ConfigureAwait(false);
                lock (_lock)
                    _discovery.HandlePacket(Now(), buffer.AsSpan(0, length));
                _wake.Writer.TryWrite(true);
            }
            catch (SocketException exception) when (exception.SocketErrorCode == SocketError.MessageSize)
            {
                // Longer than any packet of ours.
            }
            catch (SocketException) when (!_stopping.IsCancellationRequested)
            {
                await Task.Delay(s_pauseAfterError, _options.Time, CancellationToken.None).ConfigureAwait(false);
            }
            catch (Exception exception) when (exception is OperationCanceledException or ObjectDisposedException or SocketException)
            {
                return;
            }
        }
    }

    /// <summary>Does what the discovery wants, whenever something came in or is due.</summary>
    private async Task RunAsync()
    {
        TimeSpan? joinedAt = null;
        var packets = new List<byte[]>();
        while (!_stopping.IsCancellationRequested)
        {
            TimeSpan? due;
            lock (_lock)
            {
                TimeSpan now = Now();
                _discovery.HandleTimeout(now);
                while (_discovery.TryGetTransmit(now, out byte[]? packet))
                    packets.Add(packet);
                Deliver();
                due = _discovery.NextTimeout - now;
            }

            // The groups are joined before the first wait, so that what others send is heard from the start.
            if (joinedAt is null || (packets.Count > 0 && Now() - joinedAt >= s_interfacesInterval))
            {
                Join();
                joinedAt = Now();
            }

            foreach (byte[] packet in packets)
                Send(packet);
            packets.Clear();
            await SleepAsync(due).ConfigureAwait(false);
        }
    }

    /// <summary>Within the lock: gives changes to those who look for them.</summary>
    private void Deliver()
    {
        while (_discovery.TryGetChange(out MulticastChange change))
        {
            if (change.Record is null)
                continue;
            foreach ((EndpointId id, Channel<EndpointRecord> results) in _searches)
            {
                if (id == change.Id)
                    results.Writer.TryWrite(change.Record);
            }
        }
    }

    private void Join()
    {
        try
        {
            foreach (MulticastGroup group in _groups)
                group.Join(_options.Interfaces);
        }
        catch (NetworkInformationException)
        {
            // The interfaces cannot be listed at the moment: those joined before stay.
        }
    }

    private void Send(byte[] packet)
    {
        foreach (MulticastGroup group in _groups)
            group.Send(packet);
    }

    private async Task SleepAsync(TimeSpan? due)
    {
        if (due <= TimeSpan.Zero)
            return;
        // Timers count whole milliseconds; a little late is better than again and again a little early.
        using var timeout = new CancellationTokenSource(due + TimeSpan.FromMilliseconds(1) ?? Timeout.InfiniteTimeSpan, _options.Time);
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, _stopping.Token);
        try
        {
            await _wake.Reader.ReadAsync(stopping.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
        }
    }

    private async Task StopAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _loops.ConfigureAwait(false);
        Send(MulticastMessage.Goodbye(_options.Id));
        foreach (MulticastGroup group in _groups)
            group.Dispose();
        _stopping.Dispose();
    }
}
