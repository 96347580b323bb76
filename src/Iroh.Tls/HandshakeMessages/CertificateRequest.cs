namespace Iroh.Tls.HandshakeMessages;

/// <summary>CertificateRequest (RFC 8446 §4.3.2), to be answered by an Ed25519 raw public key or by no certificate.</summary>
internal static class CertificateRequest
{
    /// <summary>
    /// Checks a message body: no context, and Ed25519 among the signature schemes. Other extensions are skipped.
    /// </summary>
    /// <param name="body">Without the header.</param>
    /// <param name="usesRawPublicKeys">Whether the client will sign; otherwise the schemes are all the same to it.</param>
    internal static TlsFailure? Read(ReadOnlySpan<byte> body, bool usesRawPublicKeys)
    {
        var reader = new TlsReader(body);
        if (!reader.TryReadVector8(out ReadOnlySpan<byte> context)
            || !reader.TryReadVector16(out ReadOnlySpan<byte> block)
            || !reader.IsEmpty)
        {
            return Unreadable();
        }

        if (!context.IsEmpty)
            return new TlsFailure(TlsAlert.IllegalParameter, "CertificateRequest with a context during the handshake");
        if (ExtensionReader.Open(block, out ExtensionReader extensions) is { } failure)
            return failure;
        while (extensions.TryReadNext(out ushort type, out ReadOnlySpan<byte> data))
        {
            if (type != ExtensionType.SignatureAlgorithms)
                continue;
            var list = new TlsReader(data);
            if (!list.TryReadVector16(out ReadOnlySpan<byte> schemes) || !list.IsEmpty)
                return Unreadable();
            if (schemes.IsEmpty || schemes.Length % 2 != 0)
                return Unreadable();
            return !usesRawPublicKeys || ClientHello.Contains(schemes, (ushort)SignatureScheme.Ed25519)
                ? null
                : new TlsFailure(TlsAlert.HandshakeFailure, "the server does not accept Ed25519 signatures");
        }

        return new TlsFailure(TlsAlert.MissingExtension, "CertificateRequest without signature_algorithms");
    }

    /// <summary>Writes the message with its header.</summary>
    internal static void Write(TlsWriter writer)
    {
        int message = writer.BeginMessage(HandshakeType.CertificateRequest);
        writer.WriteByte(0);
        int extensions = writer.BeginVector(2);
        int extension = writer.BeginExtension(ExtensionType.SignatureAlgorithms);
        writer.WriteUInt16(2);
        writer.WriteUInt16((ushort)SignatureScheme.Ed25519);
        writer.EndExtension(extension);
        writer.EndVector(extensions, 2);
        writer.EndMessage(message);
    }

    private static TlsFailure Unreadable() => new(TlsAlert.DecodeError, "unreadable CertificateRequest");
}
