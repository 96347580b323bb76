using System.Net.WebSockets;
using Blixard.Testing.Basics;
using Iroh.Base;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Relay.Client;
using Iroh.Relay.Protocol;

namespace Iroh.Relay.Tests.Client;

public sealed class RelaySendQueueTests
{
    private static readonly EndpointId s_peer = SecretKey.FromBytes(new byte[32]).PublicKey;

    [Fact(Timeout = Patience.Test)]
    public async Task Pongs_go_out_before_datagrams_that_came_first()
    {
        using var queue = new RelaySendQueue();
        Assert.True(queue.TryAppend(s_peer, EcnCodepoint.Ect0, new byte[1000], 0));
        byte[] pong = new byte[RelayFrame.PingLength];
        RelayFrameWriter.WritePong(pong, 42);
        Assert.True(queue.TryAppendControl(pong));
        List<byte[]> frames = await TakeAsync(queue);
        Assert.Equal(pong, frames[0]);
        Assert.Equal((byte)RelayFrameType.ClientToRelayDatagram, frames[1][0]);
        Assert.Equal(2, frames.Count);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task All_that_waits_goes_out_in_one_write_in_order()
    {
        using var queue = new RelaySendQueue();
        for (int i = 0; i < 100; i++)
            Assert.True(queue.TryAppend(s_peer, EcnCodepoint.Ect0, [.. Enumerable.Repeat((byte)i, 200 + i)], i % 2 == 0 ? (ushort)0 : (ushort)100));
        List<byte[]> frames = await TakeAsync(queue);
        Assert.Equal(Enumerable.Range(0, 100).Select(i => (byte)i), frames.Select(frame => frame[^1]));
        Assert.Equal(Enumerable.Range(0, 100).Select(i => i % 2 == 0 ? 4 : 5), frames.Select(frame => (int)frame[0]));
    }

    [Fact(Timeout = Patience.Test)]
    public async Task What_does_not_fit_is_refused_and_fits_again_after_the_write()
    {
        using var queue = new RelaySendQueue();
        int frames = 0;
        while (queue.TryAppend(s_peer, EcnCodepoint.Ect0, new byte[1], 0))
            frames++;
        Assert.Equal(RelaySendQueue.FramesMax, frames);
        Assert.Equal(frames, (await TakeAsync(queue)).Count);
        int large = 0;
        while (queue.TryAppend(s_peer, EcnCodepoint.Ect0, new byte[RelayFrame.PayloadLengthMax], 1200))
            large++;
        Assert.Equal(RelaySendQueue.BytesMax / RelayFrame.LengthMax - 1, large);
        Assert.Equal(large * ((RelayFrame.PayloadLengthMax + 1199) / 1200), queue.DropDatagrams());
        Assert.True(queue.TryAppend(s_peer, EcnCodepoint.Ect0, new byte[1], 0));
    }

    [Fact]
    public void A_flood_of_pings_gets_a_bounded_number_of_answers()
    {
        using var queue = new RelaySendQueue();
        byte[] pong = new byte[RelayFrame.PingLength];
        int answers = 0;
        while (queue.TryAppendControl(pong))
            answers++;
        Assert.InRange(answers, 10, 100);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Taking_waits_for_something_to_take()
    {
        using var queue = new RelaySendQueue();
        Task<List<byte[]>> taking = TakeAsync(queue);
        queue.DropDatagrams();
        Assert.False(taking.IsCompleted);
        queue.TryAppend(s_peer, EcnCodepoint.Ect0, [1], 0);
        Assert.Single(await taking);
    }

    // Reads masked frames with their headers as a server does.
    private static async Task<List<byte[]>> TakeAsync(RelaySendQueue queue)
    {
        RelaySendBatch batch = await queue.TakeAsync(TestContext.Current.CancellationToken);
        using var stream = new MemoryStream(batch.Bytes.ToArray());
        RelaySendQueue.Return(batch);
        using var webSocket = WebSocket.CreateFromStream(stream, new WebSocketCreationOptions { IsServer = true });
        var frames = new List<byte[]>();
        byte[] buffer = new byte[RelayFrame.LengthMax];
        while (true)
        {
            try
            {
                int length = 0;
                ValueWebSocketReceiveResult result;
                do
                {
                    result = await webSocket.ReceiveAsync(buffer.AsMemory(length), TestContext.Current.CancellationToken);
                    length += result.Count;
                }
                while (!result.EndOfMessage);
                frames.Add(buffer[..length]);
            }
            catch (WebSocketException)
            {
                return frames;
            }
        }
    }
}
