using System.Net.NetworkInformation;
using System.Threading.Channels;

namespace Iroh.LocalAddresses;

/// <summary>
/// Tells when the machine's addresses may have changed. Changes come in bursts (an interface goes down, another comes up, gets
/// its addresses one by one), so it waits until there was silence for a moment.
/// </summary>
internal sealed class AddressMonitor : IAsyncDisposable
{
    // As iroh's monitor: longer than the steps of one change, shorter than anybody waits for.
    private static readonly TimeSpan s_silence = TimeSpan.FromMilliseconds(250);

    private readonly Channel<bool> _changes = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _loop;

    /// <summary>Starts to watch.</summary>
    /// <param name="onChange">Called after each burst of changes, one call at a time, on a thread of the pool.</param>
    public AddressMonitor(Action onChange)
    {
        NetworkChange.NetworkAddressChanged += OnNetworkAddressChanged;
        _loop = RunAsync(onChange);
    }

    /// <summary>Stops; a call of the handler that is under way has ended when this completes.</summary>
    public async ValueTask DisposeAsync()
    {
        NetworkChange.NetworkAddressChanged -= OnNetworkAddressChanged;
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(false);
        _stopping.Dispose();
    }

    private void OnNetworkAddressChanged(object? sender, EventArgs e) => _changes.Writer.TryWrite(true);

    private async Task RunAsync(Action onChange)
    {
        try
        {
            while (true)
            {
                await _changes.Reader.ReadAsync(_stopping.Token).ConfigureAwait(false);
                do
                {
                    await Task.Delay(s_silence, _stopping.Token).ConfigureAwait(false);
                }
                while (_changes.Reader.TryRead(out _));

                onChange();
            }
        }
        catch (OperationCanceledException)
        {
        }
    }
}
