using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.Crypto;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Spaces;
using Iroh.Quic.Protocol.Streams;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Tests.Crypto;

public class CryptoStreamsTests
{
    private readonly CryptoStreams _sender = new(new BlockPool());
    private readonly CryptoStreams _receiver = new(new BlockPool());
    private readonly SentFrameList _frames = new();
    private readonly byte[] _buffer = new byte[20_000];

    [Fact]
    public void Bytes_arrive_in_order_although_packets_do_not()
    {
        byte[] message = Message(2500);
        _sender.Write(EncryptionLevel.Handshake, message);
        byte[][] packets = [Write(1000), Write(1000), Write(1000)];
        Assert.False(_sender.HasDataToSend(EncryptionLevel.Handshake));
        foreach (int i in new[] { 2, 0, 1, 1 })
            Assert.Null(Read(packets[i]));
        Assert.Equal(2500, _receiver.Read(EncryptionLevel.Handshake, _buffer));
        Assert.Equal(message, _buffer[..2500]);
        Assert.Equal(0, _receiver.Read(EncryptionLevel.Initial, _buffer));
    }

    [Fact]
    public void What_is_lost_is_sent_again_and_what_arrived_is_not()
    {
        _sender.Write(EncryptionLevel.Handshake, Message(900));
        Write(500);
        Write(500);
        SentFrame first = _frames.Frames[0], second = _frames.Frames[1];
        _sender.OnFrameAcknowledged(second);
        _sender.OnFrameLost(second);
        Assert.False(_sender.HasDataToSend(EncryptionLevel.Handshake));
        _sender.OnFrameLost(first);
        Assert.True(_sender.HasDataToSend(EncryptionLevel.Handshake));
        _frames.Clear();
        Write(1000);
        Assert.Equal(first, _frames.Frames[0]);
    }

    [Fact]
    public void A_peer_that_sends_too_far_ahead_is_refused()
    {
        Assert.Null(_receiver.OnCryptoFrame(EncryptionLevel.Initial, new CryptoFrame(CryptoStreams.BufferMax - 10, new byte[10])));
        TransportError? error = _receiver.OnCryptoFrame(EncryptionLevel.Initial, new CryptoFrame(CryptoStreams.BufferMax - 10, new byte[11]));
        Assert.Equal(TransportErrorCode.CryptoBufferExceeded, error!.Code);
    }

    [Fact]
    public void A_discarded_level_sends_nothing()
    {
        _sender.Write(EncryptionLevel.Handshake, Message(100));
        Write(50);
        _sender.Discard(EncryptionLevel.Handshake);
        _sender.OnFrameLost(_frames.Frames[0]);
        Assert.False(_sender.HasDataToSend(EncryptionLevel.Handshake));
    }

    private static byte[] Message(int length)
    {
        byte[] message = new byte[length];
        for (int i = 0; i < length; i++)
            message[i] = (byte)(i * 7);
        return message;
    }

    private byte[] Write(int space)
    {
        var writer = new WireWriter(_buffer.AsSpan(0, space));
        _sender.WriteFrames(EncryptionLevel.Handshake, ref writer, _frames);
        return writer.Written.ToArray();
    }

    private TransportError? Read(byte[] packet)
    {
        var reader = new WireReader(packet);
        while (reader.Remaining > 0)
        {
            Assert.True(FrameReader.TryReadType(ref reader, out ulong type, out _));
            Assert.True(CryptoFrame.TryRead(ref reader, type, out CryptoFrame frame));
            if (_receiver.OnCryptoFrame(EncryptionLevel.Handshake, frame) is { } error)
                return error;
        }

        return null;
    }
}
