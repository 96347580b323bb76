using Iroh.Cryptography;

namespace Iroh.Tls.HandshakeMessages;

/// <summary>Certificate (RFC 8446 §4.4.2) with one raw public key (RFC 7250 §3) of Ed25519 (RFC 8410 §4).</summary>
internal static class CertificateMessage
{
    // SubjectPublicKeyInfo of an Ed25519 key up to the 32 bytes of the key.
    private static ReadOnlySpan<byte> SubjectPublicKeyInfoPrefix =>
        [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

    /// <summary>Reads a message body.</summary>
    /// <param name="body">Without the header.</param>
    /// <param name="fromClient">Decides how an empty list is answered (RFC 8446 §4.4.2.4).</param>
    /// <param name="publicKey">
    /// The key, 32 bytes within <paramref name="body"/>; <see cref="CertificateVerify"/> finds out what they are worth.
    /// </param>
    internal static TlsFailure? Read(ReadOnlySpan<byte> body, bool fromClient, out ReadOnlySpan<byte> publicKey)
    {
        publicKey = default;
        var reader = new TlsReader(body);
        if (!reader.TryReadVector8(out ReadOnlySpan<byte> context)
            || !reader.TryReadVector24(out ReadOnlySpan<byte> list)
            || !reader.IsEmpty)
        {
            return Unreadable();
        }

        if (!context.IsEmpty)
            return new TlsFailure(TlsAlert.IllegalParameter, "Certificate with a context during the handshake");
        if (list.IsEmpty)
        {
            return fromClient
                ? new TlsFailure(TlsAlert.CertificateRequired, "a client must show its public key")
                : new TlsFailure(TlsAlert.DecodeError, "the server shows no public key");
        }

        var entries = new TlsReader(list);
        if (!entries.TryReadVector24(out ReadOnlySpan<byte> info) || !entries.TryReadVector16(out ReadOnlySpan<byte> extensions))
            return Unreadable();
        if (!extensions.IsEmpty)
            return new TlsFailure(TlsAlert.UnsupportedExtension, "extensions of a certificate were not offered");
        if (!entries.IsEmpty)
            return new TlsFailure(TlsAlert.BadCertificate, "more than one raw public key");
        ReadOnlySpan<byte> prefix = SubjectPublicKeyInfoPrefix;
        if (info.Length != prefix.Length + Ed25519.PublicKeyLength || !info.StartsWith(prefix))
            return new TlsFailure(TlsAlert.BadCertificate, "the raw public key is not one of Ed25519");
        publicKey = info[prefix.Length..];
        return null;
    }

    /// <summary>Writes the message with its header.</summary>
    internal static void Write(TlsWriter writer, ReadOnlySpan<byte> publicKey)
    {
        int message = writer.BeginMessage(HandshakeType.Certificate);
        writer.WriteByte(0);
        int list = writer.BeginVector(3);
        int info = writer.BeginVector(3);
        writer.WriteBytes(SubjectPublicKeyInfoPrefix);
        writer.WriteBytes(publicKey);
        writer.EndVector(info, 3);
        writer.WriteUInt16(0);
        writer.EndVector(list, 3);
        writer.EndMessage(message);
    }

    private static TlsFailure Unreadable() => new(TlsAlert.DecodeError, "unreadable Certificate");
}
