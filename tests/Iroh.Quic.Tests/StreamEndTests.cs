namespace Iroh.Quic.Tests;

public sealed class StreamEndTests
{
    private const int Timeout = 60_000;

    [Fact(Timeout = Timeout)]
    public async Task A_reset_reaches_the_reader_with_its_code()
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        await using var pair = new EndpointPair();
        (QuicConnection client, QuicConnection server) = await pair.ConnectAsync(stop);
        (QuicStream opened, QuicStream accepted) = await OpenAsync(client, server, stop);
        Task<int> read = accepted.ReadAsync(new byte[10], stop).AsTask();

        opened.Abort(QuicStreamSides.Write, 4711);

        var failure = await Assert.ThrowsAsync<QuicStreamException>(() => read);
        Assert.Equal((QuicStreamFailure.Reset, 4711UL, false), (failure.Failure, failure.Code, failure.IsTransient));
        failure = await Assert.ThrowsAsync<QuicStreamException>(async () => await accepted.ReadAsync(new byte[10], stop));
        Assert.Equal(4711UL, failure.Code);
        await Assert.ThrowsAsync<OperationCanceledException>(async () => await opened.WriteAsync(new byte[1], stop));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => opened.WritesFinished.WaitAsync(stop));
    }

    [Fact(Timeout = Timeout)]
    public async Task A_stop_reaches_the_writer_with_its_code()
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        await using var pair = new EndpointPair();
        (QuicConnection client, QuicConnection server) = await pair.ConnectAsync(stop);
        (QuicStream opened, QuicStream accepted) = await OpenAsync(client, server, stop);
        Task finished = opened.WritesFinished;

        // Far more than the windows hold, so that the write waits until the stop arrives.
        Task write = opened.WriteAsync(new byte[32 << 20], stop).AsTask();
        accepted.Abort(QuicStreamSides.Read, 815);

        var failure = await Assert.ThrowsAsync<QuicStreamException>(() => write);
        Assert.Equal((QuicStreamFailure.Stopped, 815UL), (failure.Failure, failure.Code));
        await Assert.ThrowsAsync<QuicStreamException>(() => finished);
        await Assert.ThrowsAsync<QuicStreamException>(async () => await opened.WriteAsync(new byte[1], stop));
        await Assert.ThrowsAsync<OperationCanceledException>(async () => await accepted.ReadAsync(new byte[1], stop));
    }

    [Fact(Timeout = Timeout)]
    public async Task The_other_direction_and_other_streams_survive_a_reset()
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        await using var pair = new EndpointPair();
        (QuicConnection client, QuicConnection server) = await pair.ConnectAsync(stop);
        (QuicStream opened, QuicStream accepted) = await OpenAsync(client, server, stop);
        opened.Abort(QuicStreamSides.Write, 1);
        await accepted.WriteAsync("still here"u8.ToArray(), stop);
        accepted.CompleteWrites();
        Assert.Equal("still here"u8.ToArray(), await EchoTests.ReadToEndAsync(opened, stop));
        (QuicStream second, QuicStream secondAccepted) = await OpenAsync(client, server, stop);
        Assert.NotEqual(opened.Id, second.Id);
        Assert.Equal(second.Id, secondAccepted.Id);
    }

    [Fact(Timeout = Timeout)]
    public async Task Disposal_ends_the_writes_and_stops_the_reads()
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        await using var pair = new EndpointPair();
        (QuicConnection client, QuicConnection server) = await pair.ConnectAsync(stop);
        (QuicStream opened, QuicStream accepted) = await OpenAsync(client, server, stop);
        await opened.WriteAsync("last words"u8.ToArray(), stop);
        await opened.DisposeAsync();
        await opened.DisposeAsync();

        Assert.Equal("last words"u8.ToArray(), await EchoTests.ReadToEndAsync(accepted, stop));
        var stopped = await Assert.ThrowsAsync<QuicStreamException>(() => accepted.WritesFinished);
        Assert.Equal((QuicStreamFailure.Stopped, 0UL), (stopped.Failure, stopped.Code));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await opened.WriteAsync(new byte[1], stop));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await opened.ReadAsync(new byte[1], stop));
        Assert.False(opened.CanRead || opened.CanWrite);
    }

    [Fact(Timeout = Timeout)]
    public async Task A_write_after_the_last_one_is_refused()
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        await using var pair = new EndpointPair();
        (QuicConnection client, QuicConnection server) = await pair.ConnectAsync(stop);
        (QuicStream opened, _) = await OpenAsync(client, server, stop);
        opened.CompleteWrites();
        opened.CompleteWrites();
        for (int i = 0; i < 2; i++)
        {
            var refused = await Assert.ThrowsAsync<InvalidOperationException>(async () => await opened.WriteAsync(new byte[1], stop));
            Assert.Contains("completed", refused.Message, StringComparison.Ordinal);
        }

        await opened.WritesFinished.WaitAsync(stop);
    }

    [Fact(Timeout = Timeout)]
    public async Task Two_reads_at_a_time_are_refused()
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        await using var pair = new EndpointPair();
        (QuicConnection client, QuicConnection server) = await pair.ConnectAsync(stop);
        (QuicStream opened, QuicStream accepted) = await OpenAsync(client, server, stop);
        Task<int> first = accepted.ReadAsync(new byte[8], stop).AsTask();
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await accepted.ReadAsync(new byte[8], stop));
        await opened.WriteAsync("x"u8.ToArray(), stop);
        Assert.Equal(1, await first);
    }

    [Fact(Timeout = Timeout)]
    public async Task A_cancelled_read_loses_nothing()
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        await using var pair = new EndpointPair();
        (QuicConnection client, QuicConnection server) = await pair.ConnectAsync(stop);
        (QuicStream opened, QuicStream accepted) = await OpenAsync(client, server, stop);
        for (byte i = 0; i < 20; i++)
        {
            using var cancellation = new CancellationTokenSource();
            Task<int> read = accepted.ReadAsync(new byte[8], cancellation.Token).AsTask();
            await cancellation.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read);
            await opened.WriteAsync(new[] { i }, stop);
            byte[] buffer = new byte[8];
            Assert.Equal(1, await accepted.ReadAsync(buffer, stop));
            Assert.Equal(i, buffer[0]);
        }
    }

    [Fact(Timeout = Timeout)]
    public async Task A_cancelled_write_sent_a_prefix_and_the_stream_goes_on()
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        await using var pair = new EndpointPair();
        (QuicConnection client, QuicConnection server) = await pair.ConnectAsync(stop);
        (QuicStream opened, QuicStream accepted) = await OpenAsync(client, server, stop);
        byte[] data = EndpointPair.Bytes(32 << 20);
        using var cancellation = new CancellationTokenSource();
        Task write = opened.WriteAsync(data, cancellation.Token).AsTask();
        Assert.False(write.IsCompleted);
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => write);

        Task<byte[]> reading = EchoTests.ReadToEndAsync(accepted, stop);
        await opened.WriteAsync("the end"u8.ToArray(), stop);
        opened.CompleteWrites();
        byte[] arrived = await reading;

        Assert.InRange(arrived.Length, 7, data.Length);
        Assert.True(arrived.AsSpan(0, arrived.Length - 7).SequenceEqual(data.AsSpan(0, arrived.Length - 7)));
        Assert.Equal("the end"u8.ToArray(), arrived[^7..]);
    }

    [Theory(Timeout = Timeout)]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Disposal_after_a_cancelled_write_or_during_one_is_a_reset(bool cancelFirst)
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        await using var pair = new EndpointPair();
        (QuicConnection client, QuicConnection server) = await pair.ConnectAsync(stop);
        (QuicStream opened, QuicStream accepted) = await OpenAsync(client, server, stop);
        using var cancellation = new CancellationTokenSource();
        Task write = opened.WriteAsync(new byte[32 << 20], cancellation.Token).AsTask();
        Assert.Throws<InvalidOperationException>(opened.CompleteWrites);
        if (cancelFirst)
        {
            await cancellation.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => write);
        }

        await opened.DisposeAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => write);
        var reset = await Assert.ThrowsAsync<QuicStreamException>(() => EchoTests.ReadToEndAsync(accepted, stop));
        Assert.Equal((QuicStreamFailure.Reset, 0UL), (reset.Failure, reset.Code));
    }

    [Fact(Timeout = Timeout)]
    public async Task A_reader_that_does_not_read_stops_its_writer_and_nobody_else()
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        await using var pair = new EndpointPair();
        (QuicConnection client, QuicConnection server) = await pair.ConnectAsync(stop);
        (QuicStream slow, QuicStream slowAccepted) = await OpenAsync(client, server, stop);
        byte[] data = EndpointPair.Bytes(32 << 20);
        Task blocked = slow.WriteAsync(data, stop).AsTask();

        (QuicStream quick, QuicStream quickAccepted) = await OpenAsync(server, client, stop);
        byte[] answer = new byte[5];
        for (int i = 0; i < 50; i++)
        {
            await quick.WriteAsync("hello"u8.ToArray(), stop);
            await quickAccepted.ReadExactlyAsync(answer, stop);
        }

        Assert.False(blocked.IsCompleted);
        byte[] all = new byte[data.Length];
        await slowAccepted.ReadExactlyAsync(all, stop);
        await blocked;
        Assert.True(data.AsSpan().SequenceEqual(all));
    }

    /// <summary>A stream that both ends know, whose first byte has been read.</summary>
    internal static async Task<(QuicStream Opened, QuicStream Accepted)> OpenAsync(
        QuicConnection opener, QuicConnection accepter, CancellationToken stop)
    {
        QuicStream opened = await opener.OpenBidirectionalStreamAsync(stop);
        await opened.WriteAsync("!"u8.ToArray(), stop);
        QuicStream accepted = await accepter.AcceptBidirectionalStreamAsync(stop);
        Assert.Equal(1, await accepted.ReadAsync(new byte[1], stop));
        return (opened, accepted);
    }
}
