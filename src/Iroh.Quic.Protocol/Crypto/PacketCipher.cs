using System.Buffers.Binary;
using Iroh.Cryptography;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Crypto;

/// <summary>
/// Seals and opens the payloads of one direction with one generation of keys (RFC 9001 §5.3). The nonce holds the path id, so
/// the same packet number on two paths never repeats a nonce (draft-ietf-quic-multipath-21 §2.4). Not thread-safe.
/// </summary>
internal sealed class PacketCipher : IDisposable
{
    private readonly AeadKey _key;
    private readonly uint _ivHigh;
    private readonly ulong _ivLow;

    /// <summary>Copies key and iv.</summary>
    /// <param name="algorithm">Which AEAD.</param>
    /// <param name="key">As long as the algorithm wants it.</param>
    /// <param name="iv"><see cref="AeadKey.NonceLength"/> bytes.</param>
    public PacketCipher(AeadAlgorithm algorithm, ReadOnlySpan<byte> key, ReadOnlySpan<byte> iv)
    {
        _key = new AeadKey(algorithm, key);
        _ivHigh = BinaryPrimitives.ReadUInt32BigEndian(iv);
        _ivLow = BinaryPrimitives.ReadUInt64BigEndian(iv[sizeof(uint)..]);
    }

    /// <summary>Encrypts the payload of a packet in place; its header is authenticated with it.</summary>
    /// <param name="packet">Header, payload, and 16 bytes that receive the tag.</param>
    /// <param name="headerLength">Bytes up to and with the packet number.</param>
    /// <param name="path">The path that the packet number belongs to.</param>
    /// <param name="packetNumber">The full number, never used before on that path with these keys.</param>
    public void Seal(Span<byte> packet, int headerLength, PathId path, PacketNumber packetNumber)
    {
        Span<byte> nonce = stackalloc byte[AeadKey.NonceLength];
        WriteNonce(nonce, path, packetNumber);
        int tagOffset = packet.Length - AeadKey.TagLength;
        _key.Seal(nonce, packet[..headerLength], packet[headerLength..tagOffset], packet[tagOffset..]);
    }

    /// <summary>Decrypts the payload of a packet in place. False if it was not sealed with these keys; the payload is then zeroed.</summary>
    /// <param name="packet">Header with its protection removed, payload, tag.</param>
    /// <param name="headerLength">Bytes up to and with the packet number; with the tag not above the packet's length.</param>
    /// <param name="path">The path that the packet number belongs to.</param>
    /// <param name="packetNumber">The full number.</param>
    public bool TryOpen(Span<byte> packet, int headerLength, PathId path, PacketNumber packetNumber)
    {
        Span<byte> nonce = stackalloc byte[AeadKey.NonceLength];
        WriteNonce(nonce, path, packetNumber);
        int tagOffset = packet.Length - AeadKey.TagLength;
        return _key.TryOpen(nonce, packet[..headerLength], packet[headerLength..tagOffset], packet[tagOffset..]);
    }

    /// <summary>Wipes the key.</summary>
    public void Dispose() => _key.Dispose();

    private void WriteNonce(Span<byte> nonce, PathId path, PacketNumber packetNumber)
    {
        BinaryPrimitives.WriteUInt32BigEndian(nonce, _ivHigh ^ path.Value);
        BinaryPrimitives.WriteUInt64BigEndian(nonce[sizeof(uint)..], _ivLow ^ packetNumber.Value);
    }
}
