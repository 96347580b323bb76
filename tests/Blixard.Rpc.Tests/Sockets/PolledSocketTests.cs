using System.Net.Sockets;
using Blixard.Rpc.Sockets;

namespace Blixard.Rpc.Tests.Sockets;

public sealed class PolledSocketTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Bytes_come_in_order_however_they_are_cut_and_then_the_end()
    {
        SocketPoller poller = Poller();
        using Pair pair = await Pair.CreateAsync();
        using var polled = new PolledSocket(poller, pair.Near);
        byte[] sent = new byte[300_000];
        new Random(7).NextBytes(sent);
        Task writing = Task.Run(async () =>
        {
            for (int offset = 0, length = 1; offset < sent.Length; offset += length, length = Math.Min(length * 3, sent.Length - offset))
                await pair.Far.SendAsync(sent.AsMemory(offset, Math.Min(length, sent.Length - offset)));
            pair.Far.Shutdown(SocketShutdown.Send);
        });

        var received = new List<byte>();
        byte[] buffer = new byte[4_096];
        while (await polled.ReadAsync(buffer, CancellationToken.None).AsTask().WaitAsync(s_patience) is > 0 and int count)
            received.AddRange(buffer.AsSpan(0, count));

        await writing;
        Assert.Equal(sent, received);
    }

    [Fact]
    public async Task Whoever_had_to_wait_continues_on_the_pollers_thread()
    {
        SocketPoller poller = Poller();
        using Pair pair = await Pair.CreateAsync();
        using var polled = new PolledSocket(poller, pair.Near);
        async Task<string?> ReadAsync()
        {
            await polled.ReadAsync(new byte[1], CancellationToken.None).ConfigureAwait(false);
            return Thread.CurrentThread.Name;
        }

        Task<string?> reading = ReadAsync();
        await pair.Far.SendAsync(new byte[1]);
        Assert.Equal("socket poller", await reading.WaitAsync(s_patience));
    }

    [Fact]
    public async Task A_wait_ends_when_it_is_cancelled_and_nothing_is_lost_by_it()
    {
        SocketPoller poller = Poller();
        using Pair pair = await Pair.CreateAsync();
        using var polled = new PolledSocket(poller, pair.Near);
        byte[] buffer = new byte[8];
        for (int i = 0; i < 100; i++)
        {
            using var giveUp = new CancellationTokenSource();
            ValueTask<int> waiting = polled.ReadAsync(buffer, giveUp.Token);
            await giveUp.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting.AsTask().WaitAsync(s_patience));
        }

        await pair.Far.SendAsync(new byte[] { 1, 2, 3 });
        Assert.Equal(3, await polled.ReadAsync(buffer, CancellationToken.None).AsTask().WaitAsync(s_patience));
        Assert.Equal([1, 2, 3], buffer[..3]);
    }

    [Fact]
    public async Task Closing_the_stream_over_the_socket_ends_a_wait()
    {
        SocketPoller poller = Poller();
        using Pair pair = await Pair.CreateAsync();
        var stream = new NetworkStream(pair.Near, ownsSocket: true);
        using var polled = new PolledSocket(poller, pair.Near);
        Task<int> waiting = polled.ReadAsync(new byte[8], CancellationToken.None).AsTask();
        await stream.DisposeAsync();
        Assert.Equal(0, await waiting.WaitAsync(s_patience));
    }

    [Fact]
    public async Task An_end_that_came_together_with_the_last_bytes_is_not_overlooked()
    {
        SocketPoller poller = Poller();
        byte[] buffer = new byte[64];
        // Both orders of "told" and "read" come up.
        for (int i = 0; i < 200; i++)
        {
            using Pair pair = await Pair.CreateAsync();
            using var polled = new PolledSocket(poller, pair.Near);
            ValueTask<int> first = i % 2 == 0 ? default : polled.ReadAsync(buffer, CancellationToken.None);
            await pair.Far.SendAsync(new byte[] { 1, 2, 3 });
            pair.Far.Shutdown(SocketShutdown.Send);
            if (i % 2 == 0)
                first = polled.ReadAsync(buffer, CancellationToken.None);
            Assert.Equal(3, await first.AsTask().WaitAsync(s_patience));
            Assert.Equal(0, await polled.ReadAsync(buffer, CancellationToken.None).AsTask().WaitAsync(s_patience));
        }
    }

    [Fact]
    public async Task Questions_and_answers_pass_a_thousand_times()
    {
        SocketPoller poller = Poller();
        using Pair pair = await Pair.CreateAsync();
        using PolledSocket near = new(poller, pair.Near), far = new(poller, pair.Far);
        byte[] question = new byte[16], answer = new byte[16];
        for (int i = 0; i < 1_000; i++)
        {
            Assert.Equal(3, near.Write([1, 2, (byte)i]));
            Assert.Equal(3, await far.ReadAsync(question, CancellationToken.None).AsTask().WaitAsync(s_patience));
            Assert.Equal((byte)i, question[2]);
            Assert.Equal(2, far.Write([(byte)i, 9]));
            Assert.Equal(2, await near.ReadAsync(answer, CancellationToken.None).AsTask().WaitAsync(s_patience));
            Assert.Equal((byte)i, answer[0]);
        }
    }

    [Fact]
    public async Task A_write_takes_what_fits_and_fails_when_nobody_can_read()
    {
        SocketPoller poller = Poller();
        using Pair pair = await Pair.CreateAsync();
        using var polled = new PolledSocket(poller, pair.Near);
        long taken = 0;
        while (polled.Write(new byte[100_000]) is > 0 and int count)
            taken += count;
        Assert.True(taken > 0, "nothing was taken");
        pair.Far.Dispose();
        Assert.Throws<IOException>(() => polled.Write(new byte[1]));
    }

    private static SocketPoller Poller()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the poller needs Linux");
        return SocketPoller.Shared!;
    }

    private sealed class Pair(Socket near, Socket far) : IDisposable
    {
        public Socket Near { get; } = near;

        public Socket Far { get; } = far;

        public static async Task<Pair> CreateAsync()
        {
            string path = Path.Combine(Path.GetTempPath(), $"blixard-{Guid.NewGuid():N}.sock");
            using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            listener.Bind(new UnixDomainSocketEndPoint(path));
            listener.Listen();
            var near = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await near.ConnectAsync(new UnixDomainSocketEndPoint(path));
            Socket far = await listener.AcceptAsync();
            File.Delete(path);
            return new Pair(near, far);
        }

        public void Dispose()
        {
            Near.Dispose();
            Far.Dispose();
        }
    }
}
