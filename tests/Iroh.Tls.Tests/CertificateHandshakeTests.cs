using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Iroh.Cryptography;
using Iroh.Tls.Certificates;
using Iroh.Tls.HandshakeMessages;
using Iroh.Tls.KeyExchange;
using static Iroh.Tls.Tests.MessageEditor;
using X509Request = System.Security.Cryptography.X509Certificates.CertificateRequest;

namespace Iroh.Tls.Tests;

/// <summary>A client that dials a host by its name and a server with an X.509 certificate.</summary>
public sealed class CertificateHandshakeTests
{
    private static readonly byte[] Address = TlsPair.Bytes("/iroh-qad/0");

    [Theory]
    [InlineData("P-256", CipherSuite.Aes128GcmSha256, KeyExchangeGroup.X25519)]
    [InlineData("P-384", CipherSuite.Aes256GcmSha384, KeyExchangeGroup.Secp256r1)]
    [InlineData("RSA", CipherSuite.ChaCha20Poly1305Sha256, KeyExchangeGroup.X25519)]
    public void Both_sides_complete_with_the_same_secrets(string key, CipherSuite suite, KeyExchangeGroup group)
    {
        var pair = new TlsPair(
            Client() with { CipherSuites = [suite], KeyExchangeGroups = [group] },
            Server() with { Certificate = CertificateIdentity.Create(TestCertificates.ByName(key)) });

        pair.Run();

        AssertComplete(pair);
        Assert.Equal(
            TestCertificates.ByName(key).RawData,
            Assert.Single(Assert.Single(pair.Client.Outputs.OfType<TlsServerCertificate>()).Chain).ToArray());
        Assert.Equal(Address, pair.Client.Complete!.ApplicationProtocol.ToArray());
        Assert.Equal(Address, pair.Server.Complete!.ApplicationProtocol.ToArray());
        Assert.True(pair.Client.Complete.PeerPublicKey.IsEmpty);
        Assert.True(pair.Server.Complete.PeerPublicKey.IsEmpty);
        Assert.Equal(TlsPair.ServerParameters, pair.Client.PeerTransportParameters);
        Assert.Equal(TlsPair.ClientParameters, pair.Server.PeerTransportParameters);
    }

    [Theory]
    [InlineData(KeyExchangeGroup.X25519, KeyExchangeGroup.Secp256r1)]
    [InlineData(KeyExchangeGroup.Secp256r1, KeyExchangeGroup.X25519)]
    public void A_client_sends_the_share_that_a_server_asks_for(KeyExchangeGroup first, KeyExchangeGroup second)
    {
        var pair = new TlsPair(Client() with { KeyExchangeGroups = [first, second] }, Server() with { KeyExchangeGroups = [second] });

        pair.Run();

        AssertComplete(pair);
        Assert.Equal(2, pair.Client.Outputs.OfType<TlsCryptoData>().Count(data => data.Level == EncryptionLevel.Initial));
    }

    [Fact]
    public void A_server_takes_a_share_that_is_there_rather_than_to_ask_for_one_it_likes_better()
    {
        var pair = new TlsPair(
            Client() with { KeyExchangeGroups = [KeyExchangeGroup.Secp256r1, KeyExchangeGroup.X25519] },
            Server() with { KeyExchangeGroups = [KeyExchangeGroup.X25519, KeyExchangeGroup.Secp256r1] });

        pair.Run();

        AssertComplete(pair);
        Assert.Single(pair.Client.Outputs.OfType<TlsCryptoData>(), data => data.Level == EncryptionLevel.Initial);
    }

    [Fact]
    public void The_handshake_waits_for_a_late_verdict_on_the_certificate()
    {
        var pair = new TlsPair(Client(), Server());
        pair.Client.Verdict = _ => null;

        pair.Run();

        Assert.Single(pair.Client.Outputs.OfType<TlsServerCertificate>());
        Assert.False(pair.Client.Session.IsHandshakeComplete);
        Assert.DoesNotContain(pair.Client.Outputs, o => o is TlsSecrets { Level: EncryptionLevel.Application } or TlsPeerTransportParameters);
        Assert.Null(pair.Client.Session.AcceptCertificate());
        Assert.Null(pair.Client.Session.AcceptCertificate());
        pair.Run();
        AssertComplete(pair);
    }

    [Fact]
    public void A_verdict_before_there_is_a_certificate_counts_for_nothing()
    {
        var pair = new TlsPair(Client(), Server());
        pair.Client.Verdict = _ => null;
        Assert.Null(pair.Client.Session.AcceptCertificate());

        pair.Run();

        Assert.False(pair.Client.Session.IsHandshakeComplete);
    }

    [Fact]
    public void Bytes_after_the_server_Finished_end_a_handshake_that_waits_for_its_verdict()
    {
        var pair = new TlsPair(Client(), Server());
        pair.Client.Verdict = _ => null;
        pair.Run();

        Assert.Null(pair.Client.Feed(EncryptionLevel.Handshake, [4, 0]));
        Assert.Equal(TlsAlert.UnexpectedMessage, pair.Client.Session.AcceptCertificate()!.Alert);
    }

    [Fact]
    public void A_refused_certificate_ends_the_handshake_with_the_alert_of_the_verdict()
    {
        var pair = new TlsPair(Client(), Server());
        pair.Client.Verdict = _ => "not the host that was dialled";

        pair.Run();

        Assert.Equal(
            new TlsFailure(TlsAlert.CertificateUnknown, "not the host that was dialled") { Kind = TlsFailureKind.CertificateRefused },
            pair.Client.Failure);
        Assert.Null(pair.Client.Session.AcceptCertificate() is null ? "accepted after all" : null);
        Assert.False(pair.Server.Session.IsHandshakeComplete);
    }

    [Theory]
    [InlineData("relay.example.org.", "relay.example.org")]
    [InlineData("localhost", "localhost")]
    [InlineData("192.0.2.1", null)]
    [InlineData("2001:db8::1", null)]
    public void A_host_name_is_sent_without_its_last_dot_and_an_address_not_at_all(string name, string? sent)
    {
        var pair = new TlsPair(Client() with { ServerName = name }, Server());
        byte[]? extension = null;
        pair.Wire = (fromClient, level, bytes) =>
        {
            if (fromClient && level == EncryptionLevel.Initial)
                Extensions(bytes, all => extension = all.Find(e => e.Type == ExtensionType.ServerName).Data);
            return bytes;
        };

        pair.Run();

        AssertComplete(pair);
        Assert.Equal(sent is null ? null : Vector16([0, .. Vector16(TlsPair.Bytes(sent))]), extension);
    }

    [Fact]
    public void One_server_serves_clients_of_both_kinds_each_with_its_protocols()
    {
        TlsConfiguration both = TlsPair.ServerConfiguration() with
        {
            Certificate = TestCertificates.Identity,
            CertificateProtocols = [Address],
        };
        var raw = new TlsPair(server: both);
        var named = new TlsPair(Client(), both);
        var wrong = new TlsPair(TlsPair.ClientConfiguration() with { ApplicationProtocols = [Address] }, both);

        raw.Run();
        named.Run();
        wrong.Run();

        Assert.Equal(TlsPair.PublicKey(TlsPair.ServerSeed), raw.Client.Complete!.PeerPublicKey.ToArray());
        AssertComplete(named);
        Assert.Equal(TlsAlert.NoApplicationProtocol, wrong.Server.Failure!.Alert);
    }

    [Fact]
    public void The_chain_goes_out_in_order_without_root_and_strangers()
    {
        CertificateIdentity identity = CertificateIdentity.Create(
            TestCertificates.Chain[2], [TestCertificates.Chain[0], TestCertificates.Secp384r1, TestCertificates.Chain[1]]);
        var pair = new TlsPair(Client(), Server() with { Certificate = identity });

        pair.Run();

        AssertComplete(pair);
        Assert.Equal(
            [TestCertificates.Chain[2].RawData, TestCertificates.Chain[1].RawData],
            pair.Client.Outputs.OfType<TlsServerCertificate>().Single().Chain.Select(entry => entry.ToArray()));
    }

    [Fact]
    public void Keys_that_clients_do_not_take_make_no_identity()
    {
        using var withoutKey = X509CertificateLoader.LoadCertificate(TestCertificates.Rsa.RawData);

        Assert.Throws<ArgumentException>(() => CertificateIdentity.Create(TestCertificates.Secp521r1));
        Assert.Throws<ArgumentException>(() => CertificateIdentity.Create(TestCertificates.ShortRsa));
        Assert.Throws<ArgumentException>(() => CertificateIdentity.Create(withoutKey));
        Assert.Throws<ArgumentException>(() => CertificateIdentity.Create(
            TestCertificates.Chain[2],
            [.. Enumerable.Repeat(TestCertificates.Chain[1], 1), .. BigChain()]));

        static IEnumerable<X509Certificate2> BigChain()
        {
            // The root's place is taken by a certificate that is too big to be sent.
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var request = new X509Request(
                TestCertificates.Chain[0].SubjectName, key, HashAlgorithmName.SHA256);
            request.CertificateExtensions.Add(new X509Extension("1.2.3.4", [4, 0x82, 0x40, 0, .. new byte[0x4000]], false));
            yield return request.Create(TestCertificates.Secp256r1, DateTimeOffset.UnixEpoch.AddYears(55), DateTimeOffset.UnixEpoch.AddYears(60), [7]);
        }
    }

    [Fact]
    public void A_client_answers_a_server_that_asks_for_a_certificate_with_none()
    {
        const CipherSuite Suite = CipherSuite.Aes128GcmSha256;
        var client = new TlsEnd(TlsSession.CreateClient(Client(), new SeededRandomSource(1)));
        byte[] first = Assert.Single(client.TakeFlight()).Bytes.ToArray();

        // The server's side of it, by hand, as servers here do not ask.
        var key = new EphemeralKey(new SeededRandomSource(2));
        byte[] shared = new byte[32];
        Assert.Null(ClientHello.Read(first.AsSpan(4), out ClientHello hello));
        Assert.True(key.TryAgree(KeyExchangeGroup.X25519, hello.X25519KeyShare, shared));
        var flight = new TlsWriter();
        ServerHello.Write(flight, new byte[32], Suite, KeyExchangeGroup.X25519, key.PublicKey(KeyExchangeGroup.X25519));
        var transcript = new Transcript();
        transcript.Append(first);
        transcript.Append(flight.Written);
        var crypto = new HandshakeCrypto(isClient: false, usesRawPublicKeys: false, Server(), Suite, transcript, shared);
        Assert.Null(client.Feed(EncryptionLevel.Initial, flight.Written));
        crypto.DeriveHandshakeSecrets();
        flight.Clear();
        EncryptedExtensions.Write(flight, usesRawPublicKeys: false, Address, []);
        flight.WriteBytes(Message(
            HandshakeType.CertificateRequest, [0, .. Vector16([.. Number(ExtensionType.SignatureAlgorithms), .. Vector16(Vector16(4, 3))])]));
        crypto.Append(flight.Written);
        crypto.WriteAuthentication(flight, TestCertificates.Identity, SignatureScheme.EcdsaSecp256r1Sha256);
        Assert.Null(client.Feed(EncryptionLevel.Handshake, flight.Written));

        List<byte[]> answer = Split(Assert.Single(client.TakeFlight()).Bytes.ToArray());
        Assert.True(client.Session.IsHandshakeComplete);
        Assert.Equal([11, 0, 0, 4, 0, 0, 0, 0], answer[0]);
        crypto.Append(answer[0]);
        Assert.Null(crypto.ReadFinished(answer[1]));
    }

    public static TheoryData<string> ServerFaults => [.. Faults.Keys];

    [Theory]
    [MemberData(nameof(ServerFaults))]
    public void A_faulty_server_is_answered_by_its_alert(string fault)
    {
        (byte alert, HandshakeType type, Func<byte[], byte[]> edit) = Faults[fault];
        var pair = new TlsPair(Client(), Server())
        {
            Wire = (fromClient, level, bytes) => fromClient || level != EncryptionLevel.Handshake ? bytes : Edit(bytes, type, edit),
        };

        pair.Run();

        pair.Client.TakeFlight();
        Assert.NotNull(pair.Client.Failure);
        Assert.Equal((alert, TlsFailureKind.Protocol), (pair.Client.Failure.Alert, pair.Client.Failure.Kind));
        Assert.Null(pair.Client.Complete);
        Assert.Equal(type == HandshakeType.Finished, pair.Client.Outputs.OfType<TlsServerCertificate>().Any());
    }

    public static TheoryData<string> ClientFaults => [.. Hellos.Keys];

    [Theory]
    [MemberData(nameof(ClientFaults))]
    public void A_faulty_client_is_answered_by_its_alert(string fault)
    {
        (byte alert, Func<byte[], byte[]> edit) = Hellos[fault];
        var pair = new TlsPair(Client(), Server())
        {
            Wire = (fromClient, level, bytes) => fromClient && level == EncryptionLevel.Initial ? edit(bytes) : bytes,
        };

        pair.Run();

        Assert.Equal(alert, pair.Server.Failure?.Alert);
    }

    [Fact]
    public void A_client_that_shows_a_certificate_unasked_is_refused()
    {
        var pair = new TlsPair(Client(), Server())
        {
            Wire = (fromClient, level, bytes) => fromClient && level == EncryptionLevel.Handshake
                ? [.. Message(HandshakeType.Certificate, 0, 0, 0, 0), .. bytes]
                : bytes,
        };

        pair.Run();

        Assert.Equal(TlsAlert.UnexpectedMessage, pair.Server.Failure!.Alert);
    }

    [Fact]
    public void Configurations_that_contradict_themselves_are_refused()
    {
        Assert.Throws<ArgumentException>(() => new TlsPair(Client() with { ExpectedPeerPublicKey = new byte[32] }));
        Assert.Throws<ArgumentException>(() => new TlsPair(Client() with { KeyExchangeGroups = [] }));
        Assert.Throws<ArgumentException>(() => new TlsPair(Client() with { KeyExchangeGroups = [(KeyExchangeGroup)0x18] }));
        Assert.Throws<ArgumentException>(() => new TlsPair(server: Server() with { Certificate = null }));
        Assert.Throws<ArgumentException>(() => new TlsPair(server: Server() with { CertificateProtocols = [] }));
        foreach (string name in (string[])["", ".", "a..b", ".a", "a b", "bücher.example", new string('a', 254)])
            Assert.Throws<ArgumentException>(() => new TlsPair(Client() with { ServerName = name }));
    }

    private static readonly Dictionary<string, (byte Alert, HandshakeType Type, Func<byte[], byte[]> Edit)> Faults = new()
    {
        ["an empty chain"] = (TlsAlert.DecodeError, HandshakeType.Certificate, _ => Message(HandshakeType.Certificate, 0, 0, 0, 0)),
        ["a chain with a context"] = (TlsAlert.IllegalParameter, HandshakeType.Certificate, m => Body(m, b => [1, 7, .. b[1..]])),
        ["a chain that ends within a certificate"] = (TlsAlert.DecodeError, HandshakeType.Certificate, m => Body(m, b => [0, .. Vector24([.. b[4..^3]])])),
        ["an empty certificate"] = (TlsAlert.DecodeError, HandshakeType.Certificate, m => Body(m, b => [0, .. Vector24([.. b[4..], 0, 0, 0, 0, 0])])),
        ["eleven certificates"] = (TlsAlert.BadCertificate, HandshakeType.Certificate, m => Body(m, b => [0, .. Vector24([.. Enumerable.Repeat(b[4..], 11).SelectMany(e => e)])])),
        ["an extension of a certificate"] = (TlsAlert.UnsupportedExtension, HandshakeType.Certificate, m => Body(m, b => [0, .. Vector24([.. b[4..^2], 0, 4, 0, 5, 0, 0])])),
        ["a certificate that is none"] = (TlsAlert.BadCertificate, HandshakeType.Certificate, m => Body(m, b => [0, .. Vector24([.. Vector24(0x30, 1, 0), 0, 0])])),
        ["a certificate in text form"] = (TlsAlert.BadCertificate, HandshakeType.Certificate, m => Body(m, b => [0, .. Vector24([.. Vector24(TlsPair.Bytes(TestCertificates.Secp256r1.ExportCertificatePem())), 0, 0])])),
        ["the certificate of somebody else"] = (TlsAlert.DecryptError, HandshakeType.Certificate, m => Body(m, b => [0, .. Vector24([.. Vector24(TestCertificates.Chain[2].RawData), 0, 0])])),
        ["a certificate with a key of another kind"] = (TlsAlert.IllegalParameter, HandshakeType.Certificate, m => Body(m, b => [0, .. Vector24([.. Vector24(TestCertificates.Rsa.RawData), 0, 0])])),
        ["a certificate with a key of another curve"] = (TlsAlert.IllegalParameter, HandshakeType.Certificate, m => Body(m, b => [0, .. Vector24([.. Vector24(TestCertificates.Secp384r1.RawData), 0, 0])])),
        ["a raw public key"] = (TlsAlert.BadCertificate, HandshakeType.Certificate, m => Body(m, b => [0, .. Vector24([.. Vector24([0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0, .. new byte[32]]), 0, 0])])),
        ["a flipped signature bit"] = (TlsAlert.DecryptError, HandshakeType.CertificateVerify, m => Body(m, b => [.. b[..^1], (byte)(b[^1] ^ 1)])),
        ["an empty signature"] = (TlsAlert.DecryptError, HandshakeType.CertificateVerify, m => Body(m, b => [.. b[..2], 0, 0])),
        ["a signature by PKCS #1"] = (TlsAlert.IllegalParameter, HandshakeType.CertificateVerify, m => Body(m, b => [4, 1, .. b[2..]])),
        ["a signature by another scheme"] = (TlsAlert.IllegalParameter, HandshakeType.CertificateVerify, m => Body(m, b => [8, 4, .. b[2..]])),
        ["a certificate type that was not offered"] = (TlsAlert.IllegalParameter, HandshakeType.EncryptedExtensions, m => With(m, ExtensionType.ServerCertificateType, 0)),
        ["words in server_name"] = (TlsAlert.DecodeError, HandshakeType.EncryptedExtensions, m => With(m, ExtensionType.ServerName, 0)),
        ["an acknowledged server_name that was not signed"] = (TlsAlert.DecryptError, HandshakeType.EncryptedExtensions, m => With(m, ExtensionType.ServerName)),
        ["a flipped Finished bit"] = (TlsAlert.DecryptError, HandshakeType.Finished, m => Body(m, b => [(byte)(b[0] ^ 1), .. b[1..]])),
        ["no CertificateVerify"] = (TlsAlert.UnexpectedMessage, HandshakeType.CertificateVerify, _ => []),
        ["no Certificate"] = (TlsAlert.UnexpectedMessage, HandshakeType.Certificate, _ => []),
    };

    private static readonly Dictionary<string, (byte Alert, Func<byte[], byte[]> Edit)> Hellos = new()
    {
        ["Ed25519 signatures only"] = (TlsAlert.HandshakeFailure, m => With(m, ExtensionType.SignatureAlgorithms, 0, 2, 8, 7)),
        ["raw public keys only"] = (TlsAlert.HandshakeFailure, m => With(m, ExtensionType.ServerCertificateType, 1, 2)),
        ["P-384 only"] = (TlsAlert.HandshakeFailure, m => With(With(m, ExtensionType.SupportedGroups, 0, 2, 0, 0x18), ExtensionType.KeyShare, 0, 0)),
        ["a P-256 share of 64 bytes"] = (TlsAlert.IllegalParameter, m => With(m, ExtensionType.KeyShare, Vector16([0, 0x17, .. Vector16(new byte[64])]))),
        ["a P-256 share that is no point"] = (TlsAlert.IllegalParameter, m => With(m, ExtensionType.KeyShare, Vector16([0, 0x17, .. Vector16([4, .. new byte[64]])]))),
        ["a compressed P-256 share"] = (TlsAlert.IllegalParameter, m => With(m, ExtensionType.KeyShare, Vector16([0, 0x17, .. Vector16([2, .. new byte[64]])]))),
        ["another protocol"] = (TlsAlert.NoApplicationProtocol, m => With(m, ExtensionType.ApplicationLayerProtocolNegotiation, 0, 3, 2, 104, 51)),
    };

    private static TlsConfiguration Client() => new()
    {
        ApplicationProtocols = [Address],
        TransportParameters = TlsPair.ClientParameters,
        ServerName = "localhost",
        KeyExchangeGroups = [KeyExchangeGroup.X25519, KeyExchangeGroup.Secp256r1],
    };

    private static TlsConfiguration Server() => new()
    {
        ApplicationProtocols = [],
        TransportParameters = TlsPair.ServerParameters,
        Certificate = TestCertificates.Identity,
        CertificateProtocols = [Address],
        KeyExchangeGroups = [KeyExchangeGroup.X25519, KeyExchangeGroup.Secp256r1],
    };

    private static void AssertComplete(TlsPair pair)
    {
        Assert.Null(pair.Client.Failure);
        Assert.Null(pair.Server.Failure);
        Assert.True(pair.Client.Session.IsHandshakeComplete);
        Assert.True(pair.Server.Session.IsHandshakeComplete);
        foreach (EncryptionLevel level in (EncryptionLevel[])[EncryptionLevel.Handshake, EncryptionLevel.Application])
        {
            Assert.Equal(pair.Client.ReadSecret(level), pair.Server.WriteSecret(level));
            Assert.Equal(pair.Client.WriteSecret(level), pair.Server.ReadSecret(level));
        }
    }
}
