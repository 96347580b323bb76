using System.Net;

namespace Iroh.Quic.Tests;

public sealed class InlineReadTests
{
    private const int Timeout = 60_000;

    [Fact(Timeout = Timeout)]
    public async Task Inline_reads_continue_on_the_receive_thread_and_lose_nothing()
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        await using var pair = new EndpointPair(IPAddress.Loopback);
        (QuicConnection client, QuicConnection server) = await pair.ConnectAsync(stop);
        QuicStream opened = await client.OpenBidirectionalStreamAsync(stop);
        await opened.WriteAsync(new byte[] { 0 }, stop);
        QuicStream accepted = await server.AcceptBidirectionalStreamAsync(stop);
        opened.ContinuesReadsInline = true;

        var threads = new HashSet<string>();
        Task<byte[]> reading = Task.Run(() => ReadAsync(opened, threads, stop), stop);
        byte[] sent = EndpointPair.Bytes(200_000);
        // One after the other, so that the reader waits again and again; it answers each from where it continues.
        await accepted.ReadExactlyAsync(new byte[1], stop);
        for (int offset = 0; offset < sent.Length; offset += 20_000)
        {
            await accepted.WriteAsync(sent.AsMemory(offset, 20_000), stop);
            await accepted.ReadExactlyAsync(new byte[1], stop);
        }

        accepted.CompleteWrites();
        Assert.Equal(sent, await reading);
        Assert.Contains(threads, name => name.StartsWith("QUIC ", StringComparison.Ordinal));
    }

    [Fact(Timeout = Timeout)]
    public async Task An_inline_read_ends_when_it_is_cancelled_and_when_the_connection_closes()
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        await using var pair = new EndpointPair(IPAddress.Loopback);
        (QuicConnection client, QuicConnection server) = await pair.ConnectAsync(stop);
        QuicStream opened = await client.OpenBidirectionalStreamAsync(stop);
        opened.ContinuesReadsInline = true;
        using var giveUp = new CancellationTokenSource();
        ValueTask<int> cancelled = opened.ReadAsync(new byte[1], giveUp.Token);
        await giveUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled.AsTask());

        Task<int> closed = opened.ReadAsync(new byte[1], stop).AsTask();
        server.Close(7, default);
        await Assert.ThrowsAsync<QuicConnectionException>(() => closed);
    }

    private static async Task<byte[]> ReadAsync(QuicStream stream, HashSet<string> threads, CancellationToken stop)
    {
        var received = new List<byte>();
        byte[] buffer = new byte[4_096];
        int acknowledged = 0;
        while (await stream.ReadAsync(buffer, stop).ConfigureAwait(false) is > 0 and int count)
        {
            threads.Add(Thread.CurrentThread.Name ?? "");
            received.AddRange(buffer.AsSpan(0, count));
            for (; acknowledged < received.Count / 20_000; acknowledged++)
                await stream.WriteAsync(new byte[] { 1 }, stop).ConfigureAwait(false);
        }

        return [.. received];
    }
}
