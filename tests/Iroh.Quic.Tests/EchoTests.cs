using System.Net;
using System.Security.Cryptography;

namespace Iroh.Quic.Tests;

public sealed class EchoTests
{
    private const int Timeout = 120_000;

    public static TheoryData<string, int, bool> Cases
    {
        get
        {
            var cases = new TheoryData<string, int, bool>();
            foreach (int length in (int[])[1, 1 << 20, 64 << 20])
            {
                foreach (string address in (string[])["127.0.0.1", "::1"])
                {
                    cases.Add(address, length, false);
                    if (length < 64 << 20)
                        cases.Add(address, length, true);
                }
            }

            return cases;
        }
    }

    [Theory(Timeout = Timeout)]
    [MemberData(nameof(Cases))]
    public async Task What_one_end_writes_the_other_reads_in_both_directions(string address, int length, bool portable)
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        await using var pair = new EndpointPair(IPAddress.Parse(address), portable);
        (QuicConnection client, QuicConnection server) = await pair.ConnectAsync(stop);

        QuicStream opened = await client.OpenBidirectionalStreamAsync(stop);
        Task<byte[]> sending = WriteAsync(opened, length, 1, stop);
        QuicStream accepted = await server.AcceptBidirectionalStreamAsync(stop);
        Task<byte[]> answering = WriteAsync(accepted, length, 2, stop);
        Task<byte[]> arrived = ReadAsync(accepted, length, stop);
        Task<byte[]> answered = ReadAsync(opened, length, stop);

        Assert.Equal(await sending, await arrived);
        Assert.Equal(await answering, await answered);
        await opened.WritesFinished.WaitAsync(stop);
        await accepted.WritesFinished.WaitAsync(stop);
        Assert.Equal(opened.Id, accepted.Id);
    }

    [Fact(Timeout = Timeout)]
    public async Task A_hundred_streams_run_side_by_side()
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        await using var pair = new EndpointPair();
        (QuicConnection client, QuicConnection server) = await pair.ConnectAsync(stop);
        Task echoing = EchoAllAsync(server, 100, stop);

        byte[][] echoes = await Task.WhenAll(Enumerable.Range(0, 100).Select(async i =>
        {
            await using QuicStream stream = await client.OpenBidirectionalStreamAsync(stop);
            Task write = stream.WriteAsync(EndpointPair.Bytes(10_000, (ulong)i), stop).AsTask();
            byte[] echo = new byte[10_000];
            await stream.ReadExactlyAsync(echo, stop);
            await write;
            stream.CompleteWrites();
            Assert.Equal(0, await stream.ReadAsync(new byte[1], stop));
            return echo;
        }));

        for (int i = 0; i < 100; i++)
            Assert.Equal(EndpointPair.Bytes(10_000, (ulong)i), echoes[i]);
        await echoing;
    }

    [Fact(Timeout = Timeout)]
    public async Task More_streams_than_are_allowed_at_once_wait_for_earlier_ones_to_end()
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        await using var pair = new EndpointPair(connections: new() { BidirectionalStreamsMax = 2 });
        (QuicConnection client, QuicConnection server) = await pair.ConnectAsync(stop);
        QuicStream first = await client.OpenBidirectionalStreamAsync(stop);
        QuicStream second = await client.OpenBidirectionalStreamAsync(stop);
        Task<QuicStream> third = client.OpenBidirectionalStreamAsync(stop).AsTask();
        Assert.False(third.IsCompleted);

        Task echoing = EchoAllAsync(server, 3, stop);
        await first.WriteAsync("one"u8.ToArray(), stop);
        first.CompleteWrites();
        Assert.Equal("one"u8.ToArray(), await ReadToEndAsync(first, stop));

        QuicStream late = await third;
        foreach (QuicStream stream in (QuicStream[])[second, late])
        {
            await stream.WriteAsync("more"u8.ToArray(), stop);
            stream.CompleteWrites();
            Assert.Equal("more"u8.ToArray(), await ReadToEndAsync(stream, stop));
        }

        await echoing;
    }

    [Fact(Timeout = Timeout)]
    public async Task A_unidirectional_stream_carries_one_way()
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        await using var pair = new EndpointPair();
        (QuicConnection client, QuicConnection server) = await pair.ConnectAsync(stop);
        QuicStream up = await client.OpenUnidirectionalStreamAsync(stop);
        Assert.False(up.CanRead);
        await up.WriteAsync("to the server"u8.ToArray(), stop);
        up.CompleteWrites();
        QuicStream arrived = await server.AcceptUnidirectionalStreamAsync(stop);
        Assert.False(arrived.CanWrite);
        Assert.Equal("to the server"u8.ToArray(), await ReadToEndAsync(arrived, stop));

        QuicStream down = await server.OpenUnidirectionalStreamAsync(stop);
        await down.WriteAsync("to the client"u8.ToArray(), stop);
        await down.DisposeAsync();
        Assert.Equal("to the client"u8.ToArray(), await ReadToEndAsync(await client.AcceptUnidirectionalStreamAsync(stop), stop));
        await Assert.ThrowsAsync<NotSupportedException>(async () => await arrived.WriteAsync(new byte[1], stop));
        await Assert.ThrowsAsync<NotSupportedException>(async () => await up.ReadAsync(new byte[1], stop));
    }

    [Fact(Timeout = Timeout)]
    public async Task Pipes_carry_and_end_a_stream()
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        await using var pair = new EndpointPair();
        (QuicConnection client, QuicConnection server) = await pair.ConnectAsync(stop);
        QuicStream stream = await client.OpenBidirectionalStreamAsync(stop);
        byte[] data = EndpointPair.Bytes(300_000);
        Task<byte[]> arrived = Task.Run(async () =>
        {
            QuicStream accepted = await server.AcceptBidirectionalStreamAsync(stop);
            using var copy = new MemoryStream();
            await accepted.Input.CopyToAsync(copy, stop);
            await accepted.Input.CompleteAsync();
            await accepted.Output.CompleteAsync(new InvalidOperationException("no answer"));
            return copy.ToArray();
        });

        await stream.Output.WriteAsync(data, stop);
        await stream.Output.CompleteAsync();

        Assert.Equal(data, await arrived);
        var reset = await Assert.ThrowsAsync<QuicStreamException>(async () => await stream.Input.ReadAsync(stop));
        Assert.Equal((QuicStreamFailure.Reset, 0UL), (reset.Failure, reset.Code));
    }

    [Fact(Timeout = Timeout)]
    public async Task Blocking_reads_and_writes_work_on_ordinary_threads()
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        await using var pair = new EndpointPair();
        (QuicConnection client, QuicConnection server) = await pair.ConnectAsync(stop);
        QuicStream stream = await client.OpenBidirectionalStreamAsync(stop);
        byte[] data = EndpointPair.Bytes(4 << 20);
        Task writing = Task.Factory.StartNew(
            () =>
            {
                stream.Write(data);
                stream.CompleteWrites();
            },
            stop,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default);

        QuicStream accepted = await server.AcceptBidirectionalStreamAsync(stop);
        byte[] arrived = await Task.Factory.StartNew(
            () =>
            {
                byte[] all = new byte[data.Length];
                accepted.ReadExactly(all);
                Assert.Equal(0, accepted.Read(new byte[1]));
                return all;
            },
            stop,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default);

        await writing;
        Assert.Equal(data, arrived);
    }

    internal static async Task<byte[]> ReadToEndAsync(QuicStream stream, CancellationToken stop)
    {
        using var all = new MemoryStream();
        await stream.CopyToAsync(all, stop);
        return all.ToArray();
    }

    internal static async Task EchoAllAsync(QuicConnection server, int count, CancellationToken stop)
    {
        var echoes = new List<Task>();
        for (int i = 0; i < count; i++)
        {
            QuicStream stream = await server.AcceptBidirectionalStreamAsync(stop);
            echoes.Add(EchoAsync(stream));
        }

        await Task.WhenAll(echoes);

        async Task EchoAsync(QuicStream stream)
        {
            await stream.CopyToAsync(stream, stop);
            await stream.DisposeAsync();
        }
    }

    /// <summary>Writes bytes made from the seed in pieces of odd sizes and returns their hash.</summary>
    private static async Task<byte[]> WriteAsync(QuicStream stream, int length, ulong seed, CancellationToken stop)
    {
        byte[] data = EndpointPair.Bytes(length, seed);
        for (int at = 0, size = 1; at < length; at += size)
        {
            size = Math.Min(length - at, 1 + (size * 3 % 200_003));
            await stream.WriteAsync(data.AsMemory(at, size), stop);
        }

        stream.CompleteWrites();
        return SHA256.HashData(data);
    }

    private static async Task<byte[]> ReadAsync(QuicStream stream, int length, CancellationToken stop)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = new byte[50_021];
        int total = 0;
        for (int count; (count = await stream.ReadAsync(buffer, stop)) > 0; total += count)
            hash.AppendData(buffer, 0, count);
        Assert.Equal(length, total);
        return hash.GetHashAndReset();
    }
}
