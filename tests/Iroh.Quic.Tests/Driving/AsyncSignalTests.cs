using Blixard.Testing.Basics;
using Iroh.Quic.Driving;

namespace Iroh.Quic.Tests.Driving;

public sealed class AsyncSignalTests
{
    [Fact(Timeout = Patience.Test)]
    public async Task A_signal_between_arming_and_waiting_is_not_lost()
    {
        var signal = new AsyncSignal();
        signal.Arm();
        signal.Signal();
        await signal.WaitAsync(CancellationToken.None);
    }

    [Fact]
    public void A_signal_for_nobody_is_forgotten()
    {
        var signal = new AsyncSignal();
        signal.Signal();
        signal.Arm();
        Assert.False(signal.WaitAsync(CancellationToken.None).AsTask().IsCompleted);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_cancelled_wait_leaves_the_signal_usable()
    {
        var signal = new AsyncSignal();
        using var cancellation = new CancellationTokenSource();
        signal.Arm();
        ValueTask wait = signal.WaitAsync(cancellation.Token);
        await cancellation.CancelAsync();
        var cancelled = await Assert.ThrowsAsync<OperationCanceledException>(async () => await wait);
        Assert.Equal(cancellation.Token, cancelled.CancellationToken);

        signal.Signal();
        signal.Arm();
        ValueTask second = signal.WaitAsync(CancellationToken.None);
        Assert.False(second.IsCompleted);
        signal.Signal();
        await second;
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Signals_racing_with_cancellation_end_every_wait_exactly_once()
    {
        var signal = new AsyncSignal();
        var gate = new Lock();
        using var stop = new CancellationTokenSource();
        Task signaller = Task.Run(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                lock (gate)
                    signal.Signal();
            }
        });
        int ended = 0;
        for (int i = 0; i < 2000; i++)
        {
            using var cancellation = new CancellationTokenSource();
            ValueTask wait;
            lock (gate)
            {
                signal.Arm();
                wait = signal.WaitAsync(cancellation.Token);
            }

            Task cancel = Task.Run(cancellation.Cancel);
            try
            {
                await wait;
            }
            catch (OperationCanceledException)
            {
                // One of the two ends it; which one is the race.
            }

            ended++;
            await cancel;
        }

        await stop.CancelAsync();
        await signaller;
        Assert.Equal(2000, ended);
    }
}
