using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Blixard.Testing.Basics;
using Iroh.Quic;
using Iroh.Quic.Protocol.Connections;

namespace Iroh.Tests.Interop;

/// <summary>What must work with the real iroh whoever dialled.</summary>
public abstract class InteropSuite(RealIroh real)
{
    private const int Mebibyte = 1024 * 1024;

    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    protected RealIroh Real { get; } = real;

    private protected abstract Task<InteropConnection> ConnectAsync();

    [Fact(Timeout = Patience.Test)]
    public async Task Both_ends_know_each_other_by_id_and_protocol()
    {
        await using InteropConnection connection = await ConnectAsync();
        Assert.Equal(Real.TheirId, connection.Ours.RemoteId);
        Assert.Equal(Real.Ours.Id, connection.TheirView);
        Assert.Equal(RealIroh.Protocol, connection.Ours.ApplicationProtocol);
        Assert.InRange(connection.Ours.HandshakeDuration, TimeSpan.FromTicks(1), TimeSpan.FromSeconds(10));
        Assert.Equal(IrohPathKind.Direct, connection.Ours.Path.Kind);
    }

    [Theory(Timeout = Patience.Test)]
    [InlineData(1)]
    [InlineData(Mebibyte)]
    [InlineData(64 * Mebibyte)]
    public async Task A_stream_of_ours_carries_data_both_ways(int length)
    {
        await using InteropConnection connection = await ConnectAsync();
        byte[] sent = TestPattern.Create(length, seed: 7);
        await using QuicStream stream = await connection.Ours.OpenBidirectionalStreamAsync(Cancel);
        Task written = WriteAsync(stream, sent);
        int theirs = await connection.StreamAsync("acceptBi");
        await connection.AssertTheyReadAsync(theirs, sent);
        await written;

        Task<JsonNode> answered = connection.CallAsync("writePattern", new { stream = theirs, length, seed = 9 });
        Task<byte[]> read = ReadAsync(stream, length);
        await answered;
        await connection.CallAsync("finish", new { stream = theirs });
        Assert.Equal(Hash(TestPattern.Create(length, seed: 9)), Hash(await read));
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_stream_of_theirs_carries_data_both_ways()
    {
        await using InteropConnection connection = await ConnectAsync();
        int theirs = await connection.StreamAsync("openBi");
        await connection.CallAsync("writePattern", new { stream = theirs, length = Mebibyte, seed = 3 });
        await connection.CallAsync("finish", new { stream = theirs });
        await using QuicStream stream = await connection.Ours.AcceptBidirectionalStreamAsync(Cancel);
        Assert.Equal(Hash(TestPattern.Create(Mebibyte, seed: 3)), Hash(await ReadAsync(stream, Mebibyte)));
        byte[] answer = TestPattern.Create(Mebibyte, seed: 4);
        Task written = WriteAsync(stream, answer);
        await connection.AssertTheyReadAsync(theirs, answer);
        await written;
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_hundred_streams_at_once_are_echoed_each_with_its_own_data()
    {
        await using InteropConnection connection = await ConnectAsync();
        _ = connection.CallAsync("echo");
        await Task.WhenAll(Enumerable.Range(0, 100).Select(async i =>
        {
            byte[] sent = TestPattern.Create(10_000 + i, seed: i);
            await using QuicStream stream = await connection.Ours.OpenBidirectionalStreamAsync(Cancel);
            Task written = WriteAsync(stream, sent);
            Assert.Equal(Hash(sent), Hash(await ReadAsync(stream, sent.Length)));
            await written;
        }));
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Unidirectional_streams_of_both_ends_arrive()
    {
        await using InteropConnection connection = await ConnectAsync();
        byte[] sent = TestPattern.Create(100_000, seed: 1);
        await using (QuicStream stream = await connection.Ours.OpenUnidirectionalStreamAsync(Cancel))
        {
            Task written = WriteAsync(stream, sent);
            await connection.AssertTheyReadAsync(await connection.StreamAsync("acceptUni"), sent);
            await written;
        }

        int theirs = await connection.StreamAsync("openUni");
        await connection.CallAsync("writePattern", new { stream = theirs, length = 100_000, seed = 2 });
        await connection.CallAsync("finish", new { stream = theirs });
        await using QuicStream accepted = await connection.Ours.AcceptUnidirectionalStreamAsync(Cancel);
        Assert.Equal(Hash(TestPattern.Create(100_000, seed: 2)), Hash(await ReadAsync(accepted, 100_000)));
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Datagrams_of_both_ends_arrive()
    {
        await using InteropConnection connection = await ConnectAsync();
        Assert.InRange(connection.Ours.MaxDatagramSize, 1_000, 1_500);
        Task<JsonNode> theirs = connection.CallAsync("readDatagram");
        await connection.Ours.SendDatagramAsync("from us"u8.ToArray(), Cancel);
        Assert.Equal("from us", FromHex(await theirs));
        await connection.CallAsync("sendDatagram", new { connection = connection.Theirs, data = Convert.ToHexString("from them"u8) });
        Assert.Equal("from them", Encoding.UTF8.GetString(await connection.Ours.ReceiveDatagramAsync(Cancel)));
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_reset_of_either_end_carries_its_code()
    {
        await using InteropConnection connection = await ConnectAsync();
        await using QuicStream stream = await connection.Ours.OpenBidirectionalStreamAsync(Cancel);
        await stream.WriteAsync(new byte[10], Cancel);
        int theirs = await connection.StreamAsync("acceptBi");
        await connection.CallAsync("read", new { stream = theirs, limit = 10 });

        stream.Abort(QuicStreamSides.Write, 1234);
        Assert.Equal(1234, (await connection.CallAsync("receivedReset", new { stream = theirs }))["code"]!.GetValue<int>());

        await connection.CallAsync("reset", new { stream = theirs, code = 4321 });
        QuicStreamException exception = await Assert.ThrowsAsync<QuicStreamException>(() => ReadAsync(stream, 1));
        Assert.Equal((QuicStreamFailure.Reset, 4321UL), (exception.Failure, exception.Code));
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_stop_of_either_end_carries_its_code()
    {
        await using InteropConnection connection = await ConnectAsync();
        await using QuicStream stream = await connection.Ours.OpenBidirectionalStreamAsync(Cancel);
        await stream.WriteAsync(new byte[10], Cancel);
        int theirs = await connection.StreamAsync("acceptBi");

        stream.Abort(QuicStreamSides.Read, 77);
        Assert.Equal(77, (await connection.CallAsync("stopped", new { stream = theirs }))["code"]!.GetValue<int>());

        await connection.CallAsync("stop", new { stream = theirs, code = 78 });
        QuicStreamException exception = await Assert.ThrowsAsync<QuicStreamException>(async () =>
        {
            while (true)
                await stream.WriteAsync(new byte[1_000], Cancel);
        });
        Assert.Equal((QuicStreamFailure.Stopped, 78UL), (exception.Failure, exception.Code));
    }

    [Fact(Timeout = Patience.Test)]
    public async Task They_hear_our_close_code_and_reason()
    {
        await using InteropConnection connection = await ConnectAsync();
        Task<JsonNode> closed = connection.CallAsync("closed");
        await connection.Ours.CloseAsync(42, "that was all");
        string reason = (await closed)["reason"]!.GetValue<string>();
        Assert.Contains("42", reason);
        Assert.Contains("that was all", reason);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task We_hear_their_close_code_and_reason()
    {
        await using InteropConnection connection = await ConnectAsync();
        await connection.CallAsync("close", new { connection = connection.Theirs, code = 43, reason = "so long" });
        Assert.Equal(
            new QuicCloseReason(QuicCloseKind.ApplicationClosed, 43, "so long"), await connection.Ours.Closed.WaitAsync(Cancel));
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Key_updates_of_both_ends_are_survived()
    {
        await using InteropConnection connection = await ConnectAsync();
        _ = connection.CallAsync("echo");
        for (int round = 0; round < 4; round++)
        {
            byte[] sent = TestPattern.Create(2 * Mebibyte, seed: round);
            await using QuicStream stream = await connection.Ours.OpenBidirectionalStreamAsync(Cancel);
            Task written = WriteAsync(stream, sent);
            connection.Ours.UpdateKeys();
            Assert.Equal(Hash(sent), Hash(await ReadAsync(stream, sent.Length)));
            await written;
        }

        // The real iroh updates its keys by itself within the first thousand packets; four rounds are several thousand.
        ConnectionStatistics statistics = connection.Ours.Statistics;
        Assert.True(statistics.KeyUpdates >= 2, $"{statistics.KeyUpdates} key updates in {statistics.PacketsReceived} packets");
    }

    [Fact]
    [Trait("Suite", "Long")]
    public async Task Five_idle_minutes_are_survived_by_keep_alive()
    {
        await using InteropConnection connection = await ConnectAsync();
        _ = connection.CallAsync("echo");
        await Task.Delay(TimeSpan.FromMinutes(5), Cancel); // the idle time is what is tested
        Assert.False(connection.Ours.Closed.IsCompleted);
        await using QuicStream stream = await connection.Ours.OpenBidirectionalStreamAsync(Cancel);
        await WriteAsync(stream, new byte[] { 1, 2, 3 });
        Assert.Equal([1, 2, 3], await ReadAsync(stream, 3));
    }

    protected static async Task WriteAsync(QuicStream stream, ReadOnlyMemory<byte> data)
    {
        await stream.WriteAsync(data, Cancel);
        stream.CompleteWrites();
    }

    /// <summary>Reads to the end, which must come after <paramref name="length"/> bytes.</summary>
    protected static async Task<byte[]> ReadAsync(QuicStream stream, int length)
    {
        byte[] data = new byte[length];
        await stream.ReadExactlyAsync(data, Cancel);
        Assert.Equal(0, await stream.ReadAsync(new byte[1], Cancel));
        return data;
    }

    private static string Hash(byte[] data) => Convert.ToHexStringLower(SHA256.HashData(data));

    private static string FromHex(JsonNode reply) => Encoding.UTF8.GetString(Convert.FromHexString(reply["data"]!.GetValue<string>()));
}
