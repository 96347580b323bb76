using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Threading.Channels;

namespace Iroh.LocalAddresses;

/// <summary>
/// Watches the machine's addresses and default routes, and tells when they have changed or the machine has slept. Changes come in
/// bursts (an interface goes down, another comes up, gets its addresses one by one), so it waits until there was silence for a
/// moment, and then compares. On Linux the kernel tells by netlink; elsewhere the class library does, and a look every few seconds
/// finds what that missed. Thread-safe.
/// </summary>
internal sealed class NetworkMonitor : IAsyncDisposable
{
    /// <summary>
    /// Longer than the steps of one change, and shorter than iroh's quarter of a second: a transfer whose way is gone stands still meanwhile.
    /// </summary>
    public static readonly TimeSpan Silence = TimeSpan.FromMilliseconds(100);

    // A network that never comes to rest is looked at all the same.
    private const int SilencesMax = 20;

    /// <summary>How often the wall clock is compared with the one that stands still while the machine sleeps.</summary>
    public static readonly TimeSpan ClockCheck = TimeSpan.FromSeconds(15);

    // Clocks are corrected by less than this without anybody having slept.
    private static readonly TimeSpan s_clockTolerance = TimeSpan.FromSeconds(5);

    // Notices are small; what does not fit is cut, and it counts all the same.
    private const int NoticeSizeMax = 4096;

    private readonly Channel<bool> _notices = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    private readonly CancellationTokenSource _stopping = new();
    private readonly Action<NetworkStateChange> _onChange;
    private readonly Func<NetworkState> _read;
    private readonly TimeProvider _time;
    private readonly Socket? _netlink;
    private readonly Task _listening;
    private readonly Task _checkingClock;
    private readonly Task _loop;
    private NetworkState _current;
    private int _hasSlept;

    /// <summary>Starts to watch.</summary>
    /// <param name="onChange">Called after each change, one call at a time, on a thread of the pool. Throws nothing.</param>
    /// <param name="time">The clocks; null for the system's.</param>
    /// <param name="read">Reads the state; null for this machine's.</param>
    public NetworkMonitor(Action<NetworkStateChange> onChange, TimeProvider? time = null, Func<NetworkState>? read = null)
    {
        (_onChange, _time, _read) = (onChange, time ?? TimeProvider.System, read ?? NetworkInterfaces.Read);
        // The ear first, then the look: what changes in between is heard.
        _netlink = OperatingSystem.IsLinux() ? NetlinkSocket.TryOpen() : null;
        if (_netlink is null)
            NetworkChange.NetworkAddressChanged += OnNetworkAddressChanged;
        _current = _read();
        _listening = _netlink is null ? Task.CompletedTask : ListenAsync(_netlink);
        _checkingClock = CheckClockAsync();
        _loop = RunAsync();
    }

    /// <summary>The network as it was when it was looked at last.</summary>
    public NetworkState Current => Volatile.Read(ref _current);

    /// <summary>Asks for another look, for a system that tells nothing of itself.</summary>
    public void Check() => _notices.Writer.TryWrite(true);

    /// <summary>Stops; a call of the handler that is under way has ended when this completes.</summary>
    public async ValueTask DisposeAsync()
    {
        NetworkChange.NetworkAddressChanged -= OnNetworkAddressChanged;
        await _stopping.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(_listening, _checkingClock, _loop).ConfigureAwait(false);
        _netlink?.Dispose();
        _stopping.Dispose();
    }

    private void OnNetworkAddressChanged(object? sender, EventArgs e) => Check();

    private async Task ListenAsync(Socket netlink)
    {
        byte[] buffer = new byte[NoticeSizeMax];
        while (true)
        {
            try
            {
                await netlink.ReceiveAsync(buffer, SocketFlags.None, _stopping.Token).ConfigureAwait(false);
            }
            catch (SocketException exception) when (exception.SocketErrorCode is SocketError.NoBufferSpaceAvailable or SocketError.MessageSize)
            {
                // More happened than the kernel kept notices of.
            }
            catch (Exception exception) when (exception is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }

            Check();
        }
    }

    private async Task CheckClockAsync()
    {
        try
        {
            while (true)
            {
                (DateTimeOffset wall, long stamp) = (_time.GetUtcNow(), _time.GetTimestamp());
                await Task.Delay(ClockCheck, _time, _stopping.Token).ConfigureAwait(false);
                if (_time.GetUtcNow() - wall - _time.GetElapsedTime(stamp) > s_clockTolerance)
                    Volatile.Write(ref _hasSlept, 1);
                if (_netlink is null || Volatile.Read(ref _hasSlept) == 1)
                    Check();
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    // Interfaces may vanish while the system lists them; the next notice is on its way then.
    private NetworkState ReadOr(NetworkState before)
    {
        try
        {
            return _read();
        }
        catch (NetworkInformationException)
        {
            return before;
        }
    }

    private async Task RunAsync()
    {
        try
        {
            while (true)
            {
                await _notices.Reader.ReadAsync(_stopping.Token).ConfigureAwait(false);
                int silences = 0;
                do
                {
                    await Task.Delay(Silence, _time, _stopping.Token).ConfigureAwait(false);
                }
                while (_notices.Reader.TryRead(out _) && ++silences < SilencesMax);

                NetworkState before = Current, after = ReadOr(before);
                bool wasAsleep = Interlocked.Exchange(ref _hasSlept, 0) == 1;
                Volatile.Write(ref _current, after);
                if (wasAsleep || !before.Equals(after))
                    _onChange(new NetworkStateChange(before, after, wasAsleep));
            }
        }
        catch (OperationCanceledException)
        {
        }
    }
}
