using System.Security.Cryptography;
using Iroh.Tls.HandshakeMessages;

namespace Iroh.Tls;

/// <summary>
/// The messages of a handshake with their headers, in order (RFC 8446 §4.4.1). The bytes are kept rather than a running hash:
/// the hash is known only after the ServerHello, all messages together are small, and nothing unmanaged has to be freed.
/// </summary>
internal sealed class Transcript
{
    private readonly TlsWriter _messages = new();

    /// <summary>Takes the next message, header included, sent or received.</summary>
    internal void Append(ReadOnlySpan<byte> message) => _messages.WriteBytes(message);

    /// <summary>Transcript-Hash over all messages so far.</summary>
    internal byte[] Hash(HashAlgorithmName hash) => CryptographicOperations.HashData(hash, _messages.Written);

    /// <summary>
    /// Puts the synthetic message_hash in the place of the first ClientHello, when a HelloRetryRequest follows (§4.4.1).
    /// </summary>
    internal void ReplaceByMessageHash(HashAlgorithmName hash)
    {
        byte[] digest = Hash(hash);
        _messages.Clear();
        int start = _messages.BeginMessage(HandshakeType.MessageHash);
        _messages.WriteBytes(digest);
        _messages.EndMessage(start);
    }

    /// <summary>Lets go of the messages, once nothing more is derived from them.</summary>
    internal void Clear() => _messages.Clear();
}
