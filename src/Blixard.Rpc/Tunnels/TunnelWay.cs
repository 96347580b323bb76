using System.Threading.Channels;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Peers;
using Blixard.V1;

namespace Blixard.Rpc.Tunnels;

/// <summary>A way on which tunnels are open: they live and die together. Its pulses travel in a call of their own, which no slow
/// reader of a tunnel holds up. Under the lock of <see cref="PeerTunnels"/>, unless a member says otherwise.</summary>
internal sealed class TunnelWay : IDisposable
{
    private readonly TimeProvider _time;
    private readonly long _started;
    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationToken _stopped;
    // The newest question is the only one that matters.
    private readonly Channel<TunnelPulse> _pulses = Channel.CreateBounded<TunnelPulse>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });
    private ulong _lastNumber;
    private TimeSpan _lastSent;
    private long _heardTicks;
    private int _isDisposed;

    /// <summary>A way that has just brought something.</summary>
    /// <param name="route">The way.</param>
    /// <param name="timing">The times.</param>
    /// <param name="time">The clock.</param>
    /// <param name="started">The timestamp from which times are counted.</param>
    public TunnelWay(PeerRoute route, TunnelTiming timing, TimeProvider time, long started)
    {
        (Route, _time, _started) = (route, time, started);
        _stopped = _stop.Token;
        Health = new WayHealth(timing, Now);
    }

    public PeerRoute Route { get; }

    public WayHealth Health { get; }

    /// <summary>The open tunnels, oldest first.</summary>
    public List<OpenTunnel> Tunnels { get; } = [];

    private TimeSpan Now => _time.GetElapsedTime(_started);

    /// <summary>Something came on one of its tunnels. Any thread, no lock.</summary>
    public void NoteHeard() => Volatile.Write(ref _heardTicks, Now.Ticks);

    /// <summary>What is to be done now, after all that came.</summary>
    public WayAction Tend(TimeSpan now)
    {
        Hear();
        return Health.HandleTimeout(now);
    }

    /// <summary>Something speaks against the way: find out.</summary>
    public void Suspect()
    {
        Hear();
        if (Health.OnSuspected(Now) == WayAction.Pulse)
            Ask();
    }

    /// <summary>Sends a pulse.</summary>
    public void Ask()
    {
        _lastSent = Now;
        _pulses.Writer.TryWrite(new TunnelPulse { Number = ++_lastNumber });
    }

    /// <summary>A pulse came back.</summary>
    public void OnPulse(ulong number)
    {
        TimeSpan now = Now;
        if (number == _lastNumber)
            Health.OnPulse(now - _lastSent, now);
        else
            Health.OnHeard(now);
    }

    /// <summary>Carries the pulses until <see cref="Dispose"/>. Without the lock.</summary>
    /// <param name="onPulse">Told the number of each pulse that came back.</param>
    /// <returns>False when the transport failed. When the peer ended the call well, or refused it, silence will tell.</returns>
    public async Task<bool> PulseAsync(Action<TunnelWay, ulong> onPulse)
    {
        try
        {
            IAsyncEnumerable<TunnelPulse> answers = Route.Caller.DuplexAsync(
                TunnelMethods.Pulse, _pulses.Reader.ReadAllAsync(_stopped), null, _stopped);
            await foreach (TunnelPulse pulse in answers.ConfigureAwait(false))
                onPulse(this, pulse.Number);
            return true;
        }
        catch (OperationCanceledException)
        {
            return true;
        }
        catch (RpcException e)
        {
            return !e.IsTransportFailure;
        }
    }

    /// <summary>Ends the pulses. Without the lock.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) != 0)
            return;
        _stop.Cancel();
        _stop.Dispose();
    }

    private void Hear()
    {
        var heard = TimeSpan.FromTicks(Volatile.Read(ref _heardTicks));
        if (heard > Health.Heard)
            Health.OnHeard(heard);
    }
}
