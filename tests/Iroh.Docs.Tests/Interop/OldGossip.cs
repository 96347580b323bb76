using System.Buffers.Binary;
using System.Threading.Channels;
using Iroh.Base;
using Iroh.Cryptography;
using Iroh.Gossip;
using Iroh.Gossip.Messages;
using Iroh.Protocols;
using Iroh.Quic;

namespace Iroh.Docs.Interop;

/// <summary>
/// One peer's gossip in the framing of iroh-gossip 0.35, where one stream carries all topics and each frame begins with its topic; the messages are
/// those of today. Only to show that the real one and ours understand each other.
/// </summary>
internal sealed class OldGossip(EndpointId self, TopicId topic) : IProtocolHandler
{
    public const string ApplicationProtocol = "/iroh-gossip/0";

    private readonly GossipState _state = new(self, new GossipConfiguration(), new SeededRandomSource(1));
    private readonly Channel<GossipEvent> _events = Channel.CreateUnbounded<GossipEvent>();
    private readonly Channel<byte[]> _frames = Channel.CreateUnbounded<byte[]>();
    private readonly System.Diagnostics.Stopwatch _clock = System.Diagnostics.Stopwatch.StartNew();

    public async Task AcceptAsync(IrohConnection connection, CancellationToken cancellationToken)
    {
        await using QuicStream stream = await connection.AcceptBidirectionalStreamAsync(cancellationToken);
        Task writing = WriteAsync(stream, cancellationToken);
        Decide(() => _state.Join(_clock.Elapsed, topic, []));
        byte[] length = new byte[4];
        while (await stream.ReadAtLeastAsync(length, 4, throwOnEndOfStream: false, cancellationToken) == 4)
        {
            byte[] body = new byte[BinaryPrimitives.ReadInt32BigEndian(length)];
            await stream.ReadExactlyAsync(body, cancellationToken);
            Assert.True(TopicMessageCodec.TryRead(body.AsSpan(TopicId.Length), out TopicMessage? message), Convert.ToHexString(body));
            Assert.Equal(body[TopicId.Length..], TopicMessageCodec.Encode(message));
            Decide(() => _state.OnMessage(_clock.Elapsed, connection.RemoteId, TopicId.FromBytes(body.AsSpan(0, TopicId.Length)), message));
        }

        _frames.Writer.Complete();
        await writing;
    }

    public void Broadcast(byte[] content) => Decide(() => _state.Broadcast(_clock.Elapsed, topic, content, GossipScope.Swarm));

    public async Task<T> UntilAsync<T>(CancellationToken cancellationToken) where T : GossipEvent
    {
        while (true)
        {
            if (await _events.Reader.ReadAsync(cancellationToken) is T found)
                return found;
        }
    }

    private void Decide(Action input)
    {
        lock (_state)
        {
            input();
            _state.OnTimeout(_clock.Elapsed);
            while (_state.TryGetOutput(out GossipOutput? output))
            {
                if (output is SendMessage send)
                {
                    byte[] message = TopicMessageCodec.Encode(send.Message);
                    byte[] frame = new byte[4 + TopicId.Length + message.Length];
                    BinaryPrimitives.WriteInt32BigEndian(frame, frame.Length - 4);
                    send.Topic.Span.CopyTo(frame.AsSpan(4));
                    message.CopyTo(frame, 4 + TopicId.Length);
                    _frames.Writer.TryWrite(frame);
                }
                else if (output is RaiseEvent raised)
                {
                    _events.Writer.TryWrite(raised.Event);
                }
            }
        }
    }

    private async Task WriteAsync(QuicStream stream, CancellationToken cancellationToken)
    {
        await foreach (byte[] frame in _frames.Reader.ReadAllAsync(cancellationToken))
            await stream.WriteAsync(frame, cancellationToken);
    }
}
