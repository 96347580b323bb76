using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Spaces;
using Iroh.Quic.Protocol.Streams;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Crypto;

/// <summary>The byte stream of each encryption level that carries TLS messages in CRYPTO frames (RFC 9000 §7.5, §19.6).</summary>
internal sealed class CryptoStreams
{
    /// <summary>
    /// How far ahead of what TLS has read a peer may send, per level: four times what RFC 9000 §7.5 demands, and more than any handshake
    /// with raw public keys or ordinary certificates.
    /// </summary>
    public const ulong BufferMax = 16 * 1024;

    private readonly ReassemblyBuffer[] _received;
    private readonly SendBuffer[] _sent;

    public CryptoStreams(BlockPool pool)
    {
        _received = [new(pool), new(pool), new(pool)];
        _sent = [new(pool), new(pool), new(pool)];
    }

    /// <summary>Queues bytes from TLS.</summary>
    public void Write(EncryptionLevel level, ReadOnlySpan<byte> data) => _sent[(int)level].Append(data);

    /// <summary>A CRYPTO frame arrived.</summary>
    /// <returns>CRYPTO_BUFFER_EXCEEDED if it reaches too far ahead.</returns>
    public TransportError? OnCryptoFrame(EncryptionLevel level, in CryptoFrame frame)
    {
        ReassemblyBuffer buffer = _received[(int)level];
        ulong end = frame.Offset + (ulong)frame.Data.Length;
        if (end > buffer.ReadOffset + BufferMax || !buffer.TryInsert(frame.Offset, frame.Data))
            return new TransportError(TransportErrorCode.CryptoBufferExceeded, FrameType.Crypto, "CRYPTO data too far ahead");
        return null;
    }

    /// <summary>Takes the next bytes in order for TLS; returns how many.</summary>
    public int Read(EncryptionLevel level, Span<byte> destination) => _received[(int)level].Read(destination);

    /// <summary>Whether there are bytes to be sent, new or lost.</summary>
    public bool HasDataToSend(EncryptionLevel level)
    {
        SendBuffer buffer = _sent[(int)level];
        return buffer.HasLost || buffer.Sent < buffer.End;
    }

    /// <summary>Writes as many CRYPTO frames as there are and fit.</summary>
    public void WriteFrames(EncryptionLevel level, ref WireWriter writer, SentFrameList frames)
    {
        SendBuffer buffer = _sent[(int)level];
        while (buffer.HasLost || buffer.Sent < buffer.End)
        {
            OffsetRange range = buffer.HasLost ? buffer.FirstLost : new OffsetRange(buffer.Sent, buffer.End);
            int length = (int)Math.Min((ulong)CryptoFrame.DataLengthMax(range.Start, writer.Remaining), range.End - range.Start);
            if (length <= 0)
                return;
            CryptoFrame.WriteHeader(ref writer, range.Start, length);
            buffer.Send(range.Start, writer.Rest[..length]);
            writer.Advance(length);
            frames.Add(new SentFrame(SentFrameKind.Crypto, false, (ulong)level, range.Start, (ulong)length));
        }
    }

    /// <summary>A packet with this CRYPTO frame arrived at the peer.</summary>
    public void OnFrameAcknowledged(in SentFrame frame) => _sent[(int)frame.Id].Acknowledge(frame.A, frame.B);

    /// <summary>A packet with this CRYPTO frame was lost, or is repeated as a probe.</summary>
    public void OnFrameLost(in SentFrame frame) => _sent[(int)frame.Id].MarkLost(frame.A, frame.B);

    /// <summary>The level's keys are gone: nothing is sent or received there any more.</summary>
    public void Discard(EncryptionLevel level)
    {
        _sent[(int)level].Discard();
        _received[(int)level].Discard();
    }
}
