using System.Diagnostics;
using Blixard.Testing.Namespaces;

namespace Blixard.Testing.NatLab;

/// <summary>
/// A cable between two namespaces that delays, loses and limits what it carries: two <see cref="TapDevice"/>s and threads that take
/// Ethernet frames from one to the other. It carries whatever IP does, and its conditions can be changed at any time.
/// </summary>
internal sealed class LabLink : IAsyncDisposable
{
    // How soon the reading threads notice that the link is gone.
    private const int PollMilliseconds = 100;

    private const int FrameLengthMax = 2048;

    // Memory for frames on their way: at 1,500 bytes each 12 MB, a gigabit link of 100 ms.
    private const int FramesMax = 8192;

    // A child process between its fork and its program still holds what this process held; it is there for milliseconds.
    private static readonly TimeSpan s_departureLimit = TimeSpan.FromSeconds(30);

    private readonly LabEnd[] _ends;
    private readonly TapDevice _one;
    private readonly TapDevice _other;
    private readonly Thread[] _threads;
    private volatile LinkConditions _conditions;
    private volatile bool _isClosed;

    private LabLink(LabEnd[] ends, TapDevice one, TapDevice other, LinkConditions conditions)
    {
        (_ends, _one, _other, _conditions) = (ends, one, other, conditions);
        _threads = [.. Carry(one, other, conditions.Seed), .. Carry(other, one, conditions.Seed + 1)];
        foreach (Thread thread in _threads)
            thread.Start();
    }

    /// <summary>What it does to frames that are sent from now on.</summary>
    public LinkConditions Conditions
    {
        get => _conditions;
        set => _conditions = value;
    }

    /// <summary>Makes the interfaces, one in each namespace. They are down.</summary>
    public static async Task<LabLink> CreateAsync(LabEnd one, LabEnd other, LinkConditions conditions)
    {
        TapDevice first = await TapDevice.CreateAsync(one.Namespace, one.Device).ConfigureAwait(false);
        try
        {
            return new LabLink([one, other], first, await TapDevice.CreateAsync(other.Namespace, other.Device).ConfigureAwait(false), conditions);
        }
        catch
        {
            first.Dispose();
            throw;
        }
    }

    /// <summary>Takes both interfaces away. Their names are free when it returns.</summary>
    /// <exception cref="LabException">An interface stays.</exception>
    public async ValueTask DisposeAsync()
    {
        _isClosed = true;
        await Task.Run(() => Array.ForEach(_threads, thread => thread.Join())).ConfigureAwait(false);
        _one.Dispose();
        _other.Dispose();
        foreach (LabEnd end in _ends)
            await WaitUntilGoneAsync(end).ConfigureAwait(false);
    }

    private static async Task WaitUntilGoneAsync(LabEnd end)
    {
        var clock = Stopwatch.StartNew();
        while ((await LabCommand.RunAsync("ip", ["-n", end.Namespace, "-o", "link", "show"]).ConfigureAwait(false)).Contains($": {end.Device}:", StringComparison.Ordinal))
        {
            if (clock.Elapsed > s_departureLimit)
                throw new LabException($"the interface {end.Device} of {end.Namespace} stays although nobody holds it");
        }
    }

    private Thread[] Carry(TapDevice from, TapDevice to, int seed)
    {
        var onTheWay = new Queue<(TimeSpan At, byte[] Frame)>();
        var clock = Stopwatch.StartNew();
        return
        [
            new Thread(() => ReadAll(from, onTheWay, clock, new LinkSchedule(seed))) { IsBackground = true },
            new Thread(() => WriteAll(to, onTheWay, clock)) { IsBackground = true },
        ];
    }

    private void ReadAll(TapDevice from, Queue<(TimeSpan At, byte[] Frame)> onTheWay, Stopwatch clock, LinkSchedule schedule)
    {
        byte[] buffer = new byte[FrameLengthMax];
        while (!_isClosed)
        {
            int length = from.Read(buffer, PollMilliseconds);
            if (length == 0 || schedule.TryCarry(clock.Elapsed, length, _conditions) is not { } arrival)
                continue;
            lock (onTheWay)
            {
                if (onTheWay.Count < FramesMax)
                    onTheWay.Enqueue((arrival, buffer[..length]));
                Monitor.Pulse(onTheWay);
            }
        }

        lock (onTheWay)
            Monitor.Pulse(onTheWay);
    }

    private void WriteAll(TapDevice to, Queue<(TimeSpan At, byte[] Frame)> onTheWay, Stopwatch clock)
    {
        while (true)
        {
            byte[] frame;
            lock (onTheWay)
            {
                while (!_isClosed && (onTheWay.Count == 0 || onTheWay.Peek().At > clock.Elapsed))
                {
                    // Rounded up: the last part of a millisecond would be spent spinning.
                    int wait = onTheWay.Count == 0
                        ? Timeout.Infinite
                        : (int)Math.Ceiling(Math.Max(0, (onTheWay.Peek().At - clock.Elapsed).TotalMilliseconds));
                    Monitor.Wait(onTheWay, wait);
                }

                if (_isClosed)
                    return;
                frame = onTheWay.Dequeue().Frame;
            }

            to.Write(frame);
        }
    }
}
