using Iroh.Cryptography;

namespace Iroh.Tls.HandshakeMessages;

/// <summary>CertificateVerify (RFC 8446 §4.4.3) with an Ed25519 signature.</summary>
internal static class CertificateVerify
{
    // 64 spaces, the context string, a zero byte and the longest hash.
    private const int SignedContentLengthMax = 64 + 33 + 1 + 48;

    /// <summary>Reads a message body and checks the signature in it.</summary>
    /// <param name="body">Without the header.</param>
    /// <param name="fromClient">Whose context string is signed.</param>
    /// <param name="publicKey">The key of the Certificate before.</param>
    /// <param name="transcriptHash">Over everything up to that Certificate.</param>
    internal static TlsFailure? Read(
        ReadOnlySpan<byte> body, bool fromClient, ReadOnlySpan<byte> publicKey, ReadOnlySpan<byte> transcriptHash)
    {
        var reader = new TlsReader(body);
        if (!reader.TryReadUInt16(out ushort scheme)
            || !reader.TryReadVector16(out ReadOnlySpan<byte> signature)
            || !reader.IsEmpty)
        {
            return new TlsFailure(TlsAlert.DecodeError, "unreadable CertificateVerify");
        }

        if (scheme != CodePoint.Ed25519)
            return new TlsFailure(TlsAlert.IllegalParameter, "CertificateVerify with a scheme that was not offered");
        Span<byte> buffer = stackalloc byte[SignedContentLengthMax];
        ReadOnlySpan<byte> content = SignedContent(buffer, fromClient, transcriptHash);
        if (signature.Length == Ed25519.SignatureLength && Ed25519.Verify(publicKey, content, signature))
            return null;

        // Asked only now, because a good signature has answered it already and the answer is not cheap.
        return Ed25519.IsValidPublicKey(publicKey)
            ? new TlsFailure(TlsAlert.DecryptError, "the signature in CertificateVerify is wrong")
            : new TlsFailure(TlsAlert.BadCertificate, "the raw public key is not a point of the curve");
    }

    /// <summary>Signs and writes the message with its header.</summary>
    internal static void Write(TlsWriter writer, bool fromClient, ReadOnlySpan<byte> seed, ReadOnlySpan<byte> transcriptHash)
    {
        Span<byte> buffer = stackalloc byte[SignedContentLengthMax];
        Span<byte> signature = stackalloc byte[Ed25519.SignatureLength];
        Ed25519.Sign(seed, SignedContent(buffer, fromClient, transcriptHash), signature);
        int message = writer.BeginMessage(HandshakeType.CertificateVerify);
        writer.WriteUInt16(CodePoint.Ed25519);
        int vector = writer.BeginVector(2);
        writer.WriteBytes(signature);
        writer.EndVector(vector, 2);
        writer.EndMessage(message);
    }

    private static ReadOnlySpan<byte> SignedContent(Span<byte> buffer, bool fromClient, ReadOnlySpan<byte> transcriptHash)
    {
        ReadOnlySpan<byte> context = fromClient
            ? "TLS 1.3, client CertificateVerify\0"u8
            : "TLS 1.3, server CertificateVerify\0"u8;
        buffer[..64].Fill(0x20);
        context.CopyTo(buffer[64..]);
        transcriptHash.CopyTo(buffer[(64 + context.Length)..]);
        return buffer[..(64 + context.Length + transcriptHash.Length)];
    }
}
