using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Iroh.Base;
using Iroh.Dns;
using Iroh.Dns.Pkarr;

namespace Iroh.Lookup;

/// <summary>
/// Keeps an endpoint's signed record at a pkarr server: at once when it changes, else every few minutes, again and again where
/// that fails. Nothing is put before there is something to tell, so that a restart does not blank a record that is still good.
/// </summary>
public sealed class PkarrPublisher : IAddressLookup, IAsyncDisposable
{
    private readonly PkarrPublisherOptions _options;
    private readonly PkarrHttp _http;

    // One signal is enough: it says that there is a newer record.
    private readonly Channel<bool> _changed = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });

    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _loop;
    private readonly Lazy<Task> _disposal;
    private volatile EndpointRecord? _wanted;
    private volatile PkarrPacket? _published;
    private volatile string? _failure;

    /// <summary>Starts with nothing to publish.</summary>
    /// <exception cref="ArgumentException">The URL is not one of http or https.</exception>
    public PkarrPublisher(PkarrPublisherOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(options.Interval, TimeSpan.Zero, nameof(options));
        _options = options;
        _http = new PkarrHttp(options.Url, options.HttpClient, options.Time);
        _loop = Task.Run(RunAsync);
        _disposal = new Lazy<Task>(StopAsync);
    }

    /// <inheritdoc/>
    public string Name => "pkarr_publisher";

    /// <summary>False: reading is the job of <see cref="PkarrLookup"/> and <see cref="DnsLookup"/>.</summary>
    public bool CanResolve => false;

    /// <summary>The record that the server took last; null if there is none yet.</summary>
    public EndpointRecord? Published => _published?.ToRecord();

    /// <summary>Why the last attempt failed; null if it did not.</summary>
    public string? LastFailure => _failure;

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The record is another endpoint's.</exception>
    public ValueTask PublishAsync(EndpointRecord record, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(record);
        if (record.Id != _options.SecretKey.PublicKey)
            throw new ArgumentException($"The record of {record.Id.ToShortString()} cannot be published with the key of {_options.SecretKey.PublicKey.ToShortString()}.", nameof(record));
        EndpointRecord filtered = record.Where(_options.Filter);
        if (!filtered.Equals(_wanted))
        {
            _wanted = filtered;
            _changed.Writer.TryWrite(true);
        }

        return ValueTask.CompletedTask;
    }

    /// <summary>Gives nothing.</summary>
    /// <inheritdoc cref="IAddressLookup.ResolveAsync"/>
    public async IAsyncEnumerable<LookupResult> ResolveAsync(
        EndpointId id, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await Task.CompletedTask.ConfigureAwait(false);
        yield break;
    }

    /// <summary>Stops. The record stays at the server until it is too old: an endpoint that restarts is found meanwhile.</summary>
    public ValueTask DisposeAsync() => new(_disposal.Value);

    private async Task RunAsync()
    {
        // What the server holds from an earlier run decides the first timestamp, even if this machine's clock went back.
        ulong lastTimestamp = 0;
        bool knowsServer = false;
        int failures = 0;
        TimeSpan pause = Timeout.InfiniteTimeSpan;
        try
        {
            while (true)
            {
                await WaitAsync(pause).ConfigureAwait(false);
                EndpointRecord? record = _wanted;
                if (record is null || (_published is null && IsEmpty(record)))
                {
                    pause = Timeout.InfiniteTimeSpan;
                    continue;
                }

                try
                {
                    if (!knowsServer)
                        lastTimestamp = (await _http.GetAsync(record.Id, _stopping.Token).ConfigureAwait(false))?.Timestamp ?? 0;
                    knowsServer = true;
                    lastTimestamp = Math.Max(Now(), lastTimestamp + 1);
                    var packet = PkarrPacket.Sign(_options.SecretKey, lastTimestamp, record);
                    await _http.PutAsync(packet, _stopping.Token).ConfigureAwait(false);
                    _published = packet;
                    _failure = null;
                    failures = 0;
                    pause = Spread(_options.Interval);
                }
                catch (PkarrHttpException exception)
                {
                    _failure = exception.Message;
                    failures++;
                    pause = PauseAfter(failures, exception);
                }
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
        }
    }

    private static bool IsEmpty(EndpointRecord record) => record.Address.Addresses.IsEmpty && record.UserData is null;

    /// <summary>Waits until the record has changed, or until the pause is over.</summary>
    private async Task WaitAsync(TimeSpan pause)
    {
        using var timeout = new CancellationTokenSource(pause, _options.Time);
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token, timeout.Token);
        try
        {
            await _changed.Reader.ReadAsync(stopping.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!_stopping.IsCancellationRequested)
        {
        }
    }

    /// <summary>As iroh: n seconds after the n-th failure in a row; longer where the server asks for it.</summary>
    private TimeSpan PauseAfter(int failures, PkarrHttpException exception)
    {
        TimeSpan pause = TimeSpan.FromSeconds(failures);
        if (exception.RetryAfter > pause)
            pause = exception.RetryAfter.Value;
        return pause < _options.Interval ? pause : _options.Interval;
    }

    /// <summary>Up to a tenth less, so that publishers that started together do not stay together.</summary>
    private TimeSpan Spread(TimeSpan interval) =>
        interval - TimeSpan.FromTicks((long)_options.Random.NextBelow(Math.Max(1, (ulong)interval.Ticks / 10)));

    private ulong Now() => (ulong)Math.Max(0, (_options.Time.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond);

    private async Task StopAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(false);
        _stopping.Dispose();
    }
}
