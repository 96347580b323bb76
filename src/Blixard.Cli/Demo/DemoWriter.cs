using System.Diagnostics;
using System.Globalization;
using System.Text;
using Blixard.Rpc.Calls;
using Blixard.V1;
using Google.Protobuf;

namespace Blixard.Cli.Demo;

/// <summary>Writes to the cluster store through one node, again and again, and notes when each write was acknowledged.</summary>
internal sealed class DemoWriter : IAsyncDisposable
{
    private const string Key = "/demo/written";

    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(2);

    private readonly DemoNode _node;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _loop;
    private readonly Lock _lock = new();
    private long _last = Stopwatch.GetTimestamp();
    private TimeSpan _longest;
    private int _writes;

    /// <summary>Begins to write.</summary>
    public DemoWriter(DemoNode node)
    {
        _node = node;
        _loop = Task.Run(WriteAsync);
    }

    /// <summary>How many writes were acknowledged.</summary>
    public int Writes
    {
        get
        {
            lock (_lock)
                return _writes;
        }
    }

    /// <summary>The longest time between two acknowledgements, the time since the last one included.</summary>
    public TimeSpan LongestGap
    {
        get
        {
            lock (_lock)
                return Max(_longest, Stopwatch.GetElapsedTime(_last));
        }
    }

    /// <summary>Ends it and removes what was written.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(false);
        await TryWriteAsync(new Operation { Delete = new DeleteOperation { Key = Key } }, CancellationToken.None).ConfigureAwait(false);
        _stopping.Dispose();
    }

    private static TimeSpan Max(TimeSpan a, TimeSpan b) => a > b ? a : b;

    private async Task WriteAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            string text = Writes.ToString(CultureInfo.InvariantCulture);
            var put = new PutOperation { Key = Key, Value = ByteString.CopyFrom(text, Encoding.ASCII) };
            if (await TryWriteAsync(new Operation { Put = put }, _stopping.Token).ConfigureAwait(false))
                Note();
            await Task.Delay(s_pause, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private void Note()
    {
        lock (_lock)
        {
            _longest = Max(_longest, Stopwatch.GetElapsedTime(_last));
            _last = Stopwatch.GetTimestamp();
            _writes++;
        }
    }

    private async Task<bool> TryWriteAsync(Operation operation, CancellationToken cancellationToken)
    {
        try
        {
            TransactResponse response = await _node.Api.CallAsync(
                StoreMethods.Transact, new TransactRequest { Operations = { operation } }, RpcCallOptions.Within(s_limit), cancellationToken).ConfigureAwait(false);
            return response.Succeeded;
        }
        catch (Exception exception) when (exception is RpcException or OperationCanceledException)
        {
            return false;
        }
    }
}
