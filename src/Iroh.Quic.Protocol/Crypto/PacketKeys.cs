using Iroh.Cryptography;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Crypto;

/// <summary>
/// The keys of one direction at a level whose keys never change: Initial and Handshake (RFC 9001 §5). 1-RTT keys are
/// <see cref="KeyUpdate"/>'s. Not thread-safe.
/// </summary>
internal sealed class PacketKeys : IDisposable
{
    private readonly PacketCipher _cipher;
    private readonly HeaderProtectionKey _headerProtection;

    /// <summary>Derives the keys of a traffic secret.</summary>
    /// <param name="suite">The negotiated one; it decides AEAD and hash.</param>
    /// <param name="secret">As long as the suite's hash; the caller may wipe it afterwards.</param>
    public PacketKeys(CipherSuite suite, ReadOnlySpan<byte> secret)
    {
        _cipher = KeyDerivation.DeriveCipher(suite, secret);
        _headerProtection = KeyDerivation.DeriveHeaderProtectionKey(suite, secret);
    }

    /// <summary>Seals a packet in place and masks its header.</summary>
    /// <param name="packet">
    /// Header, payload, and 16 spare bytes that receive the tag; at least 20 bytes from the packet number on, so that the
    /// header can be masked (RFC 9001 §5.4.2: the sender pads).
    /// </param>
    /// <param name="packetNumberOffset">Where the packet number is.</param>
    /// <param name="packetNumberLength">1 to 4.</param>
    /// <param name="path">The path that the packet number belongs to; <see cref="PathId.Zero"/> for long headers.</param>
    /// <param name="packetNumber">The full number, never used before on that path with these keys.</param>
    public void Protect(
        Span<byte> packet, int packetNumberOffset, int packetNumberLength, PathId path, PacketNumber packetNumber)
    {
        _cipher.Seal(packet, packetNumberOffset + packetNumberLength, path, packetNumber);
        HeaderProtection.Apply(_headerProtection, packet, packetNumberOffset, packetNumberLength);
    }

    /// <summary>Unmasks the header in place. False for a packet that is too short, which is dropped.</summary>
    /// <param name="packet">Exactly the packet, without what follows it in the datagram.</param>
    /// <param name="packetNumberOffset">Where the packet number is.</param>
    /// <param name="packetNumberLength">Its length, 1 to 4.</param>
    /// <param name="truncated">The packet number as on the wire.</param>
    public bool TryRemoveHeaderProtection(
        Span<byte> packet, int packetNumberOffset, out int packetNumberLength, out ulong truncated) =>
        HeaderProtection.TryRemove(_headerProtection, packet, packetNumberOffset, out packetNumberLength, out truncated);

    /// <summary>Opens a packet in place. False if it is not authentic; it is then dropped.</summary>
    /// <param name="packet">Exactly the packet, its header unmasked; so it is long enough for a tag.</param>
    /// <param name="headerLength">Bytes up to and with the packet number.</param>
    /// <param name="path">The path that the packet number belongs to.</param>
    /// <param name="packetNumber">The full number.</param>
    /// <param name="payload">The frames, inside <paramref name="packet"/>.</param>
    public bool TryOpen(Span<byte> packet, int headerLength, PathId path, PacketNumber packetNumber, out Span<byte> payload)
    {
        bool opened = _cipher.TryOpen(packet, headerLength, path, packetNumber);
        payload = opened ? packet[headerLength..^AeadKey.TagLength] : default;
        return opened;
    }

    /// <summary>Wipes the keys.</summary>
    public void Dispose()
    {
        _cipher.Dispose();
        _headerProtection.Dispose();
    }
}
