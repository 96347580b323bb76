using System.Security.Cryptography;
using System.Threading.Channels;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.PortMapping;

/// <summary>
/// Has the gateway forward a port to ours for as long as it lives: asks by PCP, NAT-PMP or UPnP, first by the one that worked last,
/// renews at half of the lease, begins anew after a change of the network, and gives the port back in the end. Without a gateway it asks
/// nobody. Thread-safe.
/// </summary>
internal sealed class PortMapper : IAsyncDisposable
{
    // The gateway is one hop away, and nobody wants to wait for it at the end.
    private static readonly TimeSpan s_unmapLimit = TimeSpan.FromMilliseconds(800);

    private readonly PortMapperOptions _options;
    private readonly Action<MappedPort?> _onChange;
    private readonly IReadOnlyList<IPortMappingProtocol> _protocols;
    private readonly UpnpProtocol? _ownUpnp;
    private readonly MappingSchedule _schedule = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly Channel<bool> _restarts = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly TaskCompletionSource _tried = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _loop;
    // One for all: a gateway takes a request with another nonce for somebody else's (RFC 6887 §11.3) and refuses it while the lease lasts.
    private readonly byte[] _nonce = RandomNumberGenerator.GetBytes(PcpMessage.NonceLength);

    private (IPortMappingProtocol Protocol, MappingRequest Request, MappedPort Port)? _held;
    private IPortMappingProtocol? _worked;
    private bool _isAskedAnew;
    private string? _problem;
    private MappedPort? _current;

    /// <summary>Starts to ask.</summary>
    /// <param name="options">For what and whom.</param>
    /// <param name="onChange">Called when the forwarded port changes or is lost (null), one call at a time. Throws nothing.</param>
    public PortMapper(PortMapperOptions options, Action<MappedPort?> onChange)
    {
        (_options, _onChange) = (options, onChange);
        _protocols = options.Protocols
            ?? [new PcpProtocol(options.Time), new NatPmpProtocol(options.Time), _ownUpnp = new UpnpProtocol(options.Time, RandomNumberGenerator.GetInt32)];
        _loop = Task.Run(RunAsync);
    }

    /// <summary>The port that is forwarded now; null if none is.</summary>
    public MappedPort? Current => Volatile.Read(ref _current);

    /// <summary>Why no port is forwarded, in a sentence; null if one is, or nobody was asked yet.</summary>
    public string? Problem => Volatile.Read(ref _problem);

    /// <summary>Completes when the gateway was asked by all ways for the first time, whatever came of it.</summary>
    public Task Tried => _tried.Task;

    /// <summary>The network changed: asks anew.</summary>
    public void Restart() => _restarts.Writer.TryWrite(true);

    /// <summary>Gives the port back, for which the gateway gets less than a second, and stops.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(false);
        await UnmapAsync().ConfigureAwait(false);
        _ownUpnp?.Dispose();
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        try
        {
            while (true)
            {
                await AskAsync().ConfigureAwait(false);
                _tried.TrySetResult();
                _isAskedAnew = await WaitAsync().ConfigureAwait(false);
                if (_isAskedAnew)
                    _schedule.Restart(_options.Time.Now());
            }
        }
        catch (OperationCanceledException)
        {
        }
        finally
        {
            _tried.TrySetResult();
        }
    }

    private async Task AskAsync()
    {
        if (_options.Gateway() is not { } gateway)
        {
            _held = null;
            _schedule.Rest();
            Tell(null, "There is no gateway.");
            return;
        }

        // The mapping of another gateway runs out by itself.
        if (_held?.Request.Gateway is { } old && !old.Equals(gateway))
            _held = null;
        var request = new MappingRequest(gateway, _options.InternalPort, _held?.Port.External.Port ?? _options.InternalPort, _nonce);
        var problems = new List<string>();
        foreach (IPortMappingProtocol protocol in InOrder())
        {
            try
            {
                MappingLease lease = await protocol.MapAsync(request, _stopping.Token).ConfigureAwait(false);
                (_held, _worked) = ((protocol, request, lease.Port), protocol);
                _schedule.OnGranted(_options.Time.Now(), lease.Lifetime);
                Tell(lease.Port, null);
                return;
            }
            catch (PortMappingException exception)
            {
                problems.Add(exception.Message);
            }
        }

        Instant now = _options.Time.Now();
        _schedule.OnFailed(now);
        if (!_schedule.IsHeld(now))
        {
            _held = null;
            Tell(null, string.Join(" ", problems));
        }
    }

    // While a mapping is held only its own protocol can renew it, unless everything may be different now.
    private IEnumerable<IPortMappingProtocol> InOrder() => _held is { } held && !_isAskedAnew
        ? [held.Protocol]
        : _worked is null ? _protocols : [_worked, .. _protocols.Where(protocol => protocol != _worked)];

    // True if the network changed before it was time.
    private async Task<bool> WaitAsync()
    {
        TimeSpan wait = _schedule.Next - _options.Time.Now();
        using CancellationTokenSource due = _schedule.Next == Instant.Never
            ? new CancellationTokenSource()
            : new CancellationTokenSource(wait > TimeSpan.Zero ? wait : TimeSpan.Zero, _options.Time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(due.Token, _stopping.Token);
        try
        {
            return await _restarts.Reader.ReadAsync(both.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!_stopping.IsCancellationRequested)
        {
            return false;
        }
    }

    private async Task UnmapAsync()
    {
        if (_held is not { } held)
            return;
        using var limit = new CancellationTokenSource(s_unmapLimit);
        try
        {
            await held.Protocol.UnmapAsync(held.Request, held.Port, limit.Token).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is OperationCanceledException or PortMappingException)
        {
            // It keeps the mapping until the lease runs out.
        }
    }

    private void Tell(MappedPort? port, string? problem)
    {
        Volatile.Write(ref _problem, problem);
        if (Equals(port, _current))
            return;
        Volatile.Write(ref _current, port);
        _onChange(port);
    }
}
