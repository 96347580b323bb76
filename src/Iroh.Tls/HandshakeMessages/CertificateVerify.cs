using Iroh.Cryptography;
using Iroh.Tls.Certificates;

namespace Iroh.Tls.HandshakeMessages;

/// <summary>CertificateVerify (RFC 8446 §4.4.3) by a raw Ed25519 key or by the key of an X.509 certificate.</summary>
internal static class CertificateVerify
{
    // 64 spaces, the context string, a zero byte and the longest hash.
    private const int SignedContentLengthMax = 64 + 33 + 1 + 48;

    /// <summary>Reads a message body and checks the signature of a raw public key in it.</summary>
    /// <param name="body">Without the header.</param>
    /// <param name="fromClient">Whose context string is signed.</param>
    /// <param name="publicKey">The key of the Certificate before.</param>
    /// <param name="transcriptHash">Over everything up to that Certificate.</param>
    internal static TlsFailure? Read(
        ReadOnlySpan<byte> body, bool fromClient, ReadOnlySpan<byte> publicKey, ReadOnlySpan<byte> transcriptHash)
    {
        if (ReadFields(body, SignatureSchemes.OfRawPublicKeys, out _, out ReadOnlySpan<byte> signature) is { } failure)
            return failure;
        Span<byte> buffer = stackalloc byte[SignedContentLengthMax];
        ReadOnlySpan<byte> content = SignedContent(buffer, fromClient, transcriptHash);
        if (signature.Length == Ed25519.SignatureLength && Ed25519.Verify(publicKey, content, signature))
            return null;

        // Asked only now, because a good signature has answered it already and the answer is not cheap.
        return Ed25519.IsValidPublicKey(publicKey)
            ? new TlsFailure(TlsAlert.DecryptError, "the signature in CertificateVerify is wrong")
            : new TlsFailure(TlsAlert.BadCertificate, "the raw public key is not a point of the curve");
    }

    /// <summary>Reads a server's message body and checks the signature of its certificate's key in it.</summary>
    /// <param name="body">Without the header.</param>
    /// <param name="certificate">The first of the Certificate before.</param>
    /// <param name="transcriptHash">Over everything up to that Certificate.</param>
    internal static TlsFailure? ReadByCertificate(
        ReadOnlySpan<byte> body, ReadOnlySpan<byte> certificate, ReadOnlySpan<byte> transcriptHash)
    {
        if (ReadFields(body, SignatureSchemes.OfCertificates, out SignatureScheme scheme, out ReadOnlySpan<byte> signature) is { } failure)
            return failure;
        Span<byte> buffer = stackalloc byte[SignedContentLengthMax];
        return CertificateSignature.Verify(certificate, scheme, SignedContent(buffer, fromClient: false, transcriptHash), signature);
    }

    /// <summary>Signs with a certificate's key, for a server, and writes the message with its header.</summary>
    internal static void WriteByCertificate(
        TlsWriter writer, CertificateIdentity identity, SignatureScheme scheme, ReadOnlySpan<byte> transcriptHash)
    {
        Span<byte> buffer = stackalloc byte[SignedContentLengthMax];
        byte[] signature = identity.Sign(scheme, SignedContent(buffer, fromClient: false, transcriptHash));
        Write(writer, scheme, signature);
    }

    /// <summary>Signs with a raw key and writes the message with its header.</summary>
    internal static void Write(TlsWriter writer, bool fromClient, ReadOnlySpan<byte> seed, ReadOnlySpan<byte> transcriptHash)
    {
        Span<byte> buffer = stackalloc byte[SignedContentLengthMax];
        Span<byte> signature = stackalloc byte[Ed25519.SignatureLength];
        Ed25519.Sign(seed, SignedContent(buffer, fromClient, transcriptHash), signature);
        Write(writer, SignatureScheme.Ed25519, signature);
    }

    private static void Write(TlsWriter writer, SignatureScheme scheme, ReadOnlySpan<byte> signature)
    {
        int message = writer.BeginMessage(HandshakeType.CertificateVerify);
        writer.WriteUInt16((ushort)scheme);
        int vector = writer.BeginVector(2);
        writer.WriteBytes(signature);
        writer.EndVector(vector, 2);
        writer.EndMessage(message);
    }

    private static TlsFailure? ReadFields(
        ReadOnlySpan<byte> body,
        ReadOnlySpan<SignatureScheme> offered,
        out SignatureScheme scheme,
        out ReadOnlySpan<byte> signature)
    {
        var reader = new TlsReader(body);
        signature = default;
        bool readable = reader.TryReadUInt16(out ushort value) && reader.TryReadVector16(out signature) && reader.IsEmpty;
        scheme = (SignatureScheme)value;
        if (!readable)
            return new TlsFailure(TlsAlert.DecodeError, "unreadable CertificateVerify");
        return offered.Contains(scheme)
            ? null
            : new TlsFailure(TlsAlert.IllegalParameter, "CertificateVerify with a scheme that was not offered");
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
