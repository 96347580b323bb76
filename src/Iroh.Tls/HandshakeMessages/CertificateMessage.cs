using Iroh.Cryptography;

namespace Iroh.Tls.HandshakeMessages;

/// <summary>
/// Certificate (RFC 8446 §4.4.2), either with one raw public key (RFC 7250 §3) of Ed25519 (RFC 8410 §4) or with a chain of X.509
/// certificates.
/// </summary>
internal static class CertificateMessage
{
    // A public chain has two or three, with a superfluous root four. Bounds what a validator is asked to look at.
    private const int ChainLengthMax = 10;

    // SubjectPublicKeyInfo of an Ed25519 key up to the 32 bytes of the key.
    private static ReadOnlySpan<byte> SubjectPublicKeyInfoPrefix =>
        [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

    /// <summary>Reads a message body with a raw public key.</summary>
    /// <param name="body">Without the header.</param>
    /// <param name="fromClient">Decides how an empty list is answered (RFC 8446 §4.4.2.4).</param>
    /// <param name="publicKey">
    /// The key, 32 bytes within <paramref name="body"/>; <see cref="CertificateVerify"/> finds out what they are worth.
    /// </param>
    internal static TlsFailure? Read(ReadOnlySpan<byte> body, bool fromClient, out ReadOnlySpan<byte> publicKey)
    {
        publicKey = default;
        if (ReadList(body, out ReadOnlySpan<byte> list) is { } failure)
            return failure;
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

    /// <summary>Reads a server's message body with X.509 certificates, which are not looked into.</summary>
    /// <param name="body">Without the header.</param>
    /// <param name="chain">Copies of the certificates, the server's own first; at least one if the result is null.</param>
    internal static TlsFailure? ReadChain(ReadOnlySpan<byte> body, out IReadOnlyList<ReadOnlyMemory<byte>> chain)
    {
        chain = [];
        if (ReadList(body, out ReadOnlySpan<byte> list) is { } failure)
            return failure;
        if (list.IsEmpty)
            return new TlsFailure(TlsAlert.DecodeError, "the server shows no certificate");
        var read = new List<ReadOnlyMemory<byte>>();
        var entries = new TlsReader(list);
        while (!entries.IsEmpty)
        {
            if (!entries.TryReadVector24(out ReadOnlySpan<byte> certificate) || certificate.IsEmpty
                || !entries.TryReadVector16(out ReadOnlySpan<byte> extensions))
            {
                return Unreadable();
            }

            if (!extensions.IsEmpty)
                return new TlsFailure(TlsAlert.UnsupportedExtension, "extensions of a certificate were not offered");
            if (read.Count == ChainLengthMax)
                return new TlsFailure(TlsAlert.BadCertificate, $"more than {ChainLengthMax} certificates");
            read.Add(certificate.ToArray());
        }

        chain = read;
        return null;
    }

    /// <summary>Writes the message with its header and X.509 certificates, or with none.</summary>
    /// <param name="writer">Receives it.</param>
    /// <param name="chain">DER, the sender's own first; empty for a client that has none.</param>
    internal static void WriteChain(TlsWriter writer, IReadOnlyList<ReadOnlyMemory<byte>> chain)
    {
        int message = writer.BeginMessage(HandshakeType.Certificate);
        writer.WriteByte(0);
        int list = writer.BeginVector(3);
        foreach (ReadOnlyMemory<byte> certificate in chain)
        {
            int entry = writer.BeginVector(3);
            writer.WriteBytes(certificate.Span);
            writer.EndVector(entry, 3);
            writer.WriteUInt16(0);
        }

        writer.EndVector(list, 3);
        writer.EndMessage(message);
    }

    /// <summary>Writes the message with its header and a raw public key.</summary>
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

    private static TlsFailure? ReadList(ReadOnlySpan<byte> body, out ReadOnlySpan<byte> list)
    {
        list = default;
        var reader = new TlsReader(body);
        if (!reader.TryReadVector8(out ReadOnlySpan<byte> context) || !reader.TryReadVector24(out list) || !reader.IsEmpty)
            return Unreadable();
        return context.IsEmpty
            ? null
            : new TlsFailure(TlsAlert.IllegalParameter, "Certificate with a context during the handshake");
    }

    private static TlsFailure Unreadable() => new(TlsAlert.DecodeError, "unreadable Certificate");
}
