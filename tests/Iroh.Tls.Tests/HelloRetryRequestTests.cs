using Iroh.Cryptography;
using Iroh.Tls.HandshakeMessages;
using static Iroh.Tls.Tests.MessageEditor;

namespace Iroh.Tls.Tests;

/// <summary>RFC 8446 §4.1.4 on both sides. The other end is played with the message writers, as neither side would do it by itself.</summary>
public sealed class HelloRetryRequestTests
{
    private static readonly byte[] OtherShare = Vector16([0, 0x17, .. Vector16(new byte[65])]);

    [Theory]
    [InlineData(CipherSuite.Aes128GcmSha256)]
    [InlineData(CipherSuite.Aes256GcmSha384)]
    public void A_server_asks_for_X25519_once_and_then_completes(CipherSuite suite)
    {
        TlsConfiguration configuration = TlsPair.ClientConfiguration() with { CipherSuites = [suite] };
        var pair = new TlsPair(configuration);
        byte[] privateKey = ClientKey(seed: 1);
        byte[] second = pair.Client.TakeFlight()[0].Bytes.ToArray();
        byte[] first = With(With(second, ExtensionType.SupportedGroups, 0, 4, 0, 0x17, 0, 0x1d), ExtensionType.KeyShare, OtherShare);
        second = With(second, ExtensionType.SupportedGroups, 0, 4, 0, 0x17, 0, 0x1d);

        Assert.Null(pair.Server.Feed(EncryptionLevel.Initial, first));
        byte[] request = Assert.Single(pair.Server.TakeFlight()).Bytes.ToArray();
        Assert.Null(pair.Server.Feed(EncryptionLevel.Initial, second));
        List<TlsCryptoData> flight = pair.Server.TakeFlight();

        // The client's side of it, by hand.
        Assert.Null(ServerHello.Read(flight[0].Bytes.Span[4..], out ServerHello hello));
        byte[] shared = new byte[X25519.KeyLength];
        Assert.True(X25519.TryAgree(privateKey, hello.KeyShare, shared));
        var transcript = new Transcript();
        transcript.Append(first);
        transcript.ReplaceByMessageHash(suite.Hash());
        transcript.Append(request);
        transcript.Append(second);
        transcript.Append(flight[0].Bytes.Span);
        var crypto = new HandshakeCrypto(isClient: true, usesRawPublicKeys: true, configuration, suite, transcript, shared);
        crypto.DeriveHandshakeSecrets();
        List<byte[]> messages = Split(flight[1].Bytes.ToArray());
        crypto.Append(messages[0]);
        crypto.Append(messages[1]);
        Assert.Null(crypto.ReadCertificate(messages[2]));
        Assert.Null(crypto.ReadCertificateVerify(messages[3]));
        Assert.Null(crypto.ReadFinished(messages[4]));
        var answer = new TlsWriter();
        crypto.WriteAuthentication(answer);

        Assert.Null(pair.Server.Feed(EncryptionLevel.Handshake, answer.Written));
        Assert.True(pair.Server.Session.IsHandshakeComplete);
    }

    [Fact]
    public void The_request_names_X25519_and_nothing_else()
    {
        var pair = new TlsPair();
        byte[] first = With(pair.Client.TakeFlight()[0].Bytes.ToArray(), ExtensionType.KeyShare, 0, 0);

        Assert.Null(pair.Server.Feed(EncryptionLevel.Initial, first));

        Assert.Equal(
            "020000340303cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c00130100000c002b0002030400330002001d",
            Convert.ToHexStringLower(Assert.Single(pair.Server.TakeFlight()).Bytes.Span));
        Assert.Empty(pair.Server.Outputs.OfType<TlsPeerTransportParameters>());
    }

    [Theory]
    [InlineData("no share again")]
    [InlineData("another random")]
    [InlineData("another suite")]
    public void A_second_ClientHello_that_changes_the_wrong_things_is_refused(string fault)
    {
        var pair = new TlsPair();
        byte[] second = pair.Client.TakeFlight()[0].Bytes.ToArray();
        byte[] first = With(second, ExtensionType.KeyShare, OtherShare);
        Assert.Null(pair.Server.Feed(EncryptionLevel.Initial, first));
        second = fault switch
        {
            "no share again" => first,
            "another random" => Body(second, b => [.. b[..2], (byte)(b[2] ^ 1), .. b[3..]]),
            _ => Body(second, b => [.. b[..35], 0, 2, 0x13, 3, .. b[43..]]),
        };

        Assert.Equal(TlsAlert.IllegalParameter, pair.Server.Feed(EncryptionLevel.Initial, second)!.Alert);
    }

    [Fact]
    public void A_client_returns_the_cookie_and_then_completes()
    {
        const CipherSuite Suite = CipherSuite.ChaCha20Poly1305Sha256;
        var pair = new TlsPair();
        byte[] first = pair.Client.TakeFlight()[0].Bytes.ToArray();
        byte[] request = Request(Suite, (ExtensionType.Cookie, Vector16(7, 8, 9)));

        Assert.Null(pair.Client.Feed(EncryptionLevel.Initial, request));
        TlsCryptoData second = Assert.Single(pair.Client.TakeFlight());
        Assert.Equal(EncryptionLevel.Initial, second.Level);
        Assert.Equal(With(first, ExtensionType.Cookie, Vector16(7, 8, 9)), second.Bytes.ToArray());

        // The server's side of it, by hand.
        byte[] privateKey = [.. Enumerable.Repeat((byte)5, 32)];
        byte[] publicKey = new byte[X25519.KeyLength], shared = new byte[X25519.KeyLength];
        X25519.DerivePublicKey(privateKey, publicKey);
        Assert.Null(ClientHello.Read(second.Bytes.Span[4..], out ClientHello hello));
        Assert.True(X25519.TryAgree(privateKey, hello.X25519KeyShare, shared));
        var flight = new TlsWriter();
        ServerHello.Write(flight, new byte[32], Suite, KeyExchangeGroup.X25519, publicKey);
        var transcript = new Transcript();
        transcript.Append(first);
        transcript.ReplaceByMessageHash(Suite.Hash());
        transcript.Append(request);
        transcript.Append(second.Bytes.Span);
        transcript.Append(flight.Written);
        var crypto = new HandshakeCrypto(isClient: false, usesRawPublicKeys: true, TlsPair.ServerConfiguration(), Suite, transcript, shared);
        Assert.Null(pair.Client.Feed(EncryptionLevel.Initial, flight.Written));
        crypto.DeriveHandshakeSecrets();
        flight.Clear();
        EncryptedExtensions.Write(flight, usesRawPublicKeys: true, "test/1"u8, []);
        CertificateRequest.Write(flight);
        crypto.Append(flight.Written);
        crypto.WriteAuthentication(flight);
        Assert.Null(pair.Client.Feed(EncryptionLevel.Handshake, flight.Written));

        Assert.True(pair.Client.Session.IsHandshakeComplete);
        List<byte[]> messages = Split(Assert.Single(pair.Client.TakeFlight()).Bytes.ToArray());
        Assert.Null(crypto.ReadCertificate(messages[0]));
        Assert.Null(crypto.ReadCertificateVerify(messages[1]));
        Assert.Null(crypto.ReadFinished(messages[2]));
    }

    [Fact]
    public void Requests_that_are_illegal_for_what_the_client_offered_are_refused()
    {
        Assert.Equal(TlsAlert.IllegalParameter, After(Request(CipherSuite.Aes128GcmSha256)));
        Assert.Equal(TlsAlert.IllegalParameter, After(Request(CipherSuite.Aes128GcmSha256, (ExtensionType.KeyShare, [0, 0x1d]))));
        Assert.Equal(TlsAlert.IllegalParameter, After(Request(CipherSuite.Aes128GcmSha256, (ExtensionType.KeyShare, [0, 0x17]))));
        Assert.Equal(TlsAlert.DecodeError, After(Request(CipherSuite.Aes128GcmSha256, (ExtensionType.Cookie, [0, 0]))));
        Assert.Equal(TlsAlert.IllegalParameter, After(Request((CipherSuite)0x1304, (ExtensionType.Cookie, [0, 1, 1]))));
        byte[] legal = Request(CipherSuite.Aes128GcmSha256, (ExtensionType.Cookie, [0, 1, 1]));
        Assert.Equal(TlsAlert.UnexpectedMessage, After(legal, legal));

        var hello = new TlsWriter();
        byte[] publicKey = new byte[X25519.KeyLength];
        X25519.DerivePublicKey(new byte[32], publicKey);
        ServerHello.Write(hello, new byte[32], CipherSuite.Aes256GcmSha384, KeyExchangeGroup.X25519, publicKey);
        Assert.Equal(TlsAlert.IllegalParameter, After(legal, hello.Written.ToArray()));

        static byte After(params byte[][] messages)
        {
            var pair = new TlsPair();
            TlsFailure? failure = null;
            foreach (byte[] message in messages)
            {
                Assert.Null(failure);
                failure = pair.Client.Feed(EncryptionLevel.Initial, message);
            }

            return failure!.Alert;
        }
    }

    private static byte[] Request(CipherSuite suite, params (ushort Type, byte[] Data)[] extensions)
    {
        var writer = new TlsWriter();
        ServerHello.WriteRetryRequest(writer, suite, KeyExchangeGroup.X25519);
        byte[] message = Without(writer.Written.ToArray(), ExtensionType.KeyShare);
        return Extensions(message, all => all.AddRange(extensions));
    }

    // The key share that TlsPair's client draws after its random.
    private static byte[] ClientKey(ulong seed)
    {
        var random = new SeededRandomSource(seed);
        byte[] key = new byte[32];
        random.Fill(key);
        random.Fill(key);
        return key;
    }
}
