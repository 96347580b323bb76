using System.Security.Cryptography;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Crypto;

/// <summary>
/// The keys of Initial packets, which anyone who sees the client's first packet can derive (RFC 9001 §5.2): they keep out
/// accidents, not attackers.
/// </summary>
internal static class InitialKeys
{
    private static ReadOnlySpan<byte> Salt =>
    [
        0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a,
    ];

    /// <summary>The keys of both directions.</summary>
    /// <param name="clientDestinationId">
    /// Destination Connection ID of the client's first Initial; after a Retry, that of the first Initial that followed it.
    /// </param>
    /// <param name="side">Whose keys: it decides which of the two secrets is for sending.</param>
    public static (PacketKeys Receive, PacketKeys Send) Derive(in ConnectionId clientDestinationId, Side side)
    {
        Span<byte> initialSecret = stackalloc byte[SHA256.HashSizeInBytes];
        Span<byte> secret = stackalloc byte[SHA256.HashSizeInBytes];
        HKDF.Extract(HashAlgorithmName.SHA256, clientDestinationId.Span, Salt, initialSecret);
        TlsKeySchedule.HkdfExpandLabel(HashAlgorithmName.SHA256, initialSecret, "client in"u8, [], secret);
        var client = new PacketKeys(CipherSuite.Aes128GcmSha256, secret);
        TlsKeySchedule.HkdfExpandLabel(HashAlgorithmName.SHA256, initialSecret, "server in"u8, [], secret);
        var server = new PacketKeys(CipherSuite.Aes128GcmSha256, secret);
        return side == Side.Client ? (server, client) : (client, server);
    }
}
