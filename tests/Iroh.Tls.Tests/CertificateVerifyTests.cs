using Iroh.Tls.Certificates;
using Iroh.Tls.HandshakeMessages;

namespace Iroh.Tls.Tests;

public sealed class CertificateVerifyTests
{
    private static readonly byte[] Hash = [.. Enumerable.Range(0, 48).Select(i => (byte)i)];

    [Fact]
    public void A_signature_counts_for_its_side_key_and_transcript_only()
    {
        byte[] key = TlsPair.PublicKey(TlsPair.ClientSeed);
        foreach (bool fromClient in (bool[])[true, false])
        {
            var writer = new TlsWriter();
            CertificateVerify.Write(writer, fromClient, TlsPair.ClientSeed, Hash);
            byte[] body = writer.Written[4..].ToArray();

            Assert.Null(CertificateVerify.Read(body, fromClient, key, Hash));
            Assert.Equal(TlsAlert.DecryptError, CertificateVerify.Read(body, !fromClient, key, Hash)!.Alert);
            Assert.Equal(TlsAlert.DecryptError, CertificateVerify.Read(body, fromClient, TlsPair.PublicKey(TlsPair.ServerSeed), Hash)!.Alert);
            Assert.Equal(TlsAlert.DecryptError, CertificateVerify.Read(body, fromClient, key, Hash.AsSpan(0, 32))!.Alert);
        }
    }

    // RFC 8448 §3: the server's messages, whose certificate has an RSA key of 1024 bits.
    [Fact]
    public void The_signature_of_RFC_8448_is_right_and_its_key_too_short()
    {
        byte[] message = Convert.FromHexString(TlsKeyScheduleTests.CertificateBytes);
        Assert.Null(CertificateMessage.ReadChain(message.AsSpan(4), out IReadOnlyList<ReadOnlyMemory<byte>> chain));
        byte[] certificate = Assert.Single(chain).ToArray();
        Assert.Equal(0x1b0, certificate.Length);
        var transcript = new Transcript();
        foreach (string text in TlsKeyScheduleTests.MessagesBeforeCertificateVerify)
            transcript.Append(Convert.FromHexString(text));
        byte[] content =
        [
            .. Enumerable.Repeat((byte)' ', 64), .. "TLS 1.3, server CertificateVerify"u8, 0,
            .. transcript.Hash(System.Security.Cryptography.HashAlgorithmName.SHA256),
        ];
        byte[] body = Convert.FromHexString(TlsKeyScheduleTests.CertificateVerifyBytes)[4..];
        var scheme = (SignatureScheme)((body[0] << 8) | body[1]);
        Assert.Equal(SignatureScheme.RsaPssRsaeSha256, scheme);

        Assert.Null(CertificateSignature.Verify(certificate, scheme, content, body.AsSpan(4), rsaBitsMin: 1024));
        Assert.Equal(TlsAlert.IllegalParameter, CertificateSignature.Verify(certificate, scheme, content, body.AsSpan(4))!.Alert);
        content[^1] ^= 1;
        Assert.Equal(TlsAlert.DecryptError, CertificateSignature.Verify(certificate, scheme, content, body.AsSpan(4), rsaBitsMin: 1024)!.Alert);
    }

    // RFC 8446 §4.4.3 signs 64 spaces, the context string, a zero byte and the hash.
    [Fact]
    public void The_signed_bytes_are_those_of_RFC_8446()
    {
        byte[] content = [.. Enumerable.Repeat((byte)' ', 64), .. "TLS 1.3, server CertificateVerify"u8, 0, .. Hash];
        byte[] expected = new byte[Cryptography.Ed25519.SignatureLength];
        Cryptography.Ed25519.Sign(TlsPair.ServerSeed, content, expected);

        var writer = new TlsWriter();
        CertificateVerify.Write(writer, fromClient: false, TlsPair.ServerSeed, Hash);

        Assert.Equal((byte[])[15, 0, 0, 68, 8, 7, 0, 64, .. expected], writer.Written.ToArray());
    }
}
