using Iroh.Tls.HandshakeMessages;
using static Iroh.Tls.Tests.MessageEditor;

namespace Iroh.Tls.Tests;

/// <summary>What a server answers to a client that does something wrong: one row per fault, with the alert that it must give.</summary>
public sealed class ServerAlertTests
{
    private const ushort ServerName = 0;
    private const int SuitesAt = 4 + 2 + 32 + 1;

    private static readonly byte[] P256Share = [.. Number(0x0017), .. Vector16(new byte[65])];
    private static readonly byte[] X25519Share = [.. Number(0x001d), .. Vector16([.. Enumerable.Repeat((byte)9, 32)])];

    private static readonly Dictionary<string, (byte Alert, Func<byte[], byte[]> Edit)> Hellos = new()
    {
        ["no supported_versions"] = (TlsAlert.ProtocolVersion, m => Without(m, ExtensionType.SupportedVersions)),
        ["only TLS 1.2"] = (TlsAlert.ProtocolVersion, m => With(m, ExtensionType.SupportedVersions, 2, 3, 3)),
        ["no extensions at all"] = (TlsAlert.ProtocolVersion, m => Body(m, b => b.Take(2 + 32 + 1 + 2 + 6 + 2))),
        ["unknown suites only"] = (TlsAlert.HandshakeFailure, m => Body(m, b => [.. b[..35], 0, 2, 0x13, 5, .. b[43..]])),
        ["no signature_algorithms"] = (TlsAlert.MissingExtension, m => Without(m, ExtensionType.SignatureAlgorithms)),
        ["ECDSA signatures only"] = (TlsAlert.HandshakeFailure, m => With(m, ExtensionType.SignatureAlgorithms, 0, 2, 4, 3)),
        ["no supported_groups"] = (TlsAlert.MissingExtension, m => Without(m, ExtensionType.SupportedGroups)),
        ["no key_share"] = (TlsAlert.MissingExtension, m => Without(m, ExtensionType.KeyShare)),
        ["P-256 only"] = (TlsAlert.HandshakeFailure, m => With(With(m, ExtensionType.SupportedGroups, 0, 2, 0, 0x17), ExtensionType.KeyShare, Vector16(P256Share))),
        ["a share of a group not supported"] = (TlsAlert.IllegalParameter, m => With(m, ExtensionType.SupportedGroups, 0, 2, 0, 0x17)),
        ["no client_certificate_type"] = (TlsAlert.HandshakeFailure, m => Without(m, ExtensionType.ClientCertificateType)),
        ["no server_certificate_type"] = (TlsAlert.HandshakeFailure, m => Without(m, ExtensionType.ServerCertificateType)),
        ["X.509 certificates only"] = (TlsAlert.HandshakeFailure, m => With(m, ExtensionType.ServerCertificateType, 1, 0)),
        ["no ALPN"] = (TlsAlert.NoApplicationProtocol, m => Without(m, ExtensionType.ApplicationLayerProtocolNegotiation)),
        ["another ALPN"] = (TlsAlert.NoApplicationProtocol, m => With(m, ExtensionType.ApplicationLayerProtocolNegotiation, 0, 3, 2, 104, 51)),
        ["no transport parameters"] = (TlsAlert.MissingExtension, m => Without(m, ExtensionType.QuicTransportParameters)),
        ["a session id"] = (TlsAlert.IllegalParameter, m => Body(m, b => [.. b[..34], 1, 7, .. b[35..]])),
        ["a session id of 33 bytes"] = (TlsAlert.DecodeError, m => Body(m, b => [.. b[..34], 33, .. new byte[33], .. b[35..]])),
        ["compression"] = (TlsAlert.IllegalParameter, m => Body(m, b => [.. b[..43], 2, 1, 0, .. b[45..]])),
        ["no compression method"] = (TlsAlert.DecodeError, m => Body(m, b => [.. b[..43], 0, .. b[45..]])),
        ["an X25519 share of 31 bytes"] = (TlsAlert.IllegalParameter, m => With(m, ExtensionType.KeyShare, Vector16([0, 0x1d, .. Vector16(new byte[31])]))),
        ["two X25519 shares"] = (TlsAlert.IllegalParameter, m => With(m, ExtensionType.KeyShare, Vector16([.. X25519Share, .. X25519Share]))),
        ["an X25519 share of small order"] = (TlsAlert.IllegalParameter, m => With(m, ExtensionType.KeyShare, Vector16([0, 0x1d, .. Vector16(new byte[32])]))),
        ["an empty share"] = (TlsAlert.DecodeError, m => With(m, ExtensionType.KeyShare, Vector16([0, 0x1d, 0, 0]))),
        ["an extension twice"] = (TlsAlert.IllegalParameter, m => Extensions(m, all => all.Add(all[0]))),
        ["65 extensions"] = (TlsAlert.DecodeError, m => Extensions(m, all => all.AddRange(Enumerable.Range(0, 65 - all.Count).Select(i => ((ushort)(0xff00 + i), Array.Empty<byte>()))))),
        ["pre_shared_key not last"] = (TlsAlert.IllegalParameter, m => Extensions(m, all => all.Insert(0, (ExtensionType.PreSharedKey, [])))),
        ["pre_shared_key without modes"] = (TlsAlert.MissingExtension, m => With(m, ExtensionType.PreSharedKey, 1)),
        ["an odd suite list"] = (TlsAlert.DecodeError, m => Body(m, b => [.. b[..35], 0, 3, 0x13, 1, 0x13, .. b[43..]])),
        ["no suite"] = (TlsAlert.DecodeError, m => Body(m, b => [.. b[..35], 0, 0, .. b[43..]])),
        ["a byte too many"] = (TlsAlert.DecodeError, m => Body(m, b => b.Append((byte)0))),
        ["a byte too few"] = (TlsAlert.DecodeError, m => Body(m, b => b.SkipLast(1))),
        ["an empty ALPN name"] = (TlsAlert.DecodeError, m => With(m, ExtensionType.ApplicationLayerProtocolNegotiation, 0, 1, 0)),
        ["an empty body"] = (TlsAlert.DecodeError, m => Message(HandshakeType.ClientHello)),
        ["a ServerHello instead"] = (TlsAlert.UnexpectedMessage, m => Message(HandshakeType.ServerHello, m[4..])),
        ["a message beyond the limit"] = (TlsAlert.DecodeError, m => Message(HandshakeType.ClientHello, new byte[MessageAssembler.MessageLengthMax + 1])),
        ["more bytes at the Initial level"] = (TlsAlert.UnexpectedMessage, m => [.. m, 1]),
    };

    private static readonly Dictionary<string, (byte Alert, Func<byte[], byte[]> Edit)> Finals = new()
    {
        ["no certificate"] = (TlsAlert.CertificateRequired, f => Edit(f, HandshakeType.Certificate, _ => Message(HandshakeType.Certificate, 0, 0, 0, 0))),
        ["a Certificate context"] = (TlsAlert.IllegalParameter, f => Edit(f, HandshakeType.Certificate, m => Body(m, b => [1, 7, .. b[1..]]))),
        ["two keys"] = (TlsAlert.BadCertificate, f => Edit(f, HandshakeType.Certificate, m => Body(m, b => [0, .. Vector24([.. b[4..], .. b[4..]])]))),
        ["an extension of the key"] = (TlsAlert.UnsupportedExtension, f => Edit(f, HandshakeType.Certificate, m => Body(m, b => [0, .. Vector24([.. b[4..^2], 0, 4, 0, 5, 0, 0])]))),
        ["a key of another algorithm"] = (TlsAlert.BadCertificate, f => Edit(f, HandshakeType.Certificate, m => Body(m, b => [.. b[..15], 0x6e, .. b[16..]]))),
        ["a key that is no point"] = (TlsAlert.BadCertificate, f => Edit(f, HandshakeType.Certificate, m => Body(m, b => [.. b[..19], 2, .. new byte[31], 0, 0]))),
        ["an unreadable Certificate"] = (TlsAlert.DecodeError, f => Edit(f, HandshakeType.Certificate, m => Body(m, b => b.SkipLast(1)))),
        ["the server's key"] = (TlsAlert.DecryptError, f => Edit(f, HandshakeType.Certificate, m => Body(m, b => [.. b[..19], .. TlsPair.PublicKey(TlsPair.ServerSeed), 0, 0]))),
        ["a scheme not offered"] = (TlsAlert.IllegalParameter, f => Edit(f, HandshakeType.CertificateVerify, m => Body(m, b => [8, 8, .. b[2..]]))),
        ["a flipped signature bit"] = (TlsAlert.DecryptError, f => Edit(f, HandshakeType.CertificateVerify, m => Body(m, b => [.. b[..20], (byte)(b[20] ^ 1), .. b[21..]]))),
        ["a short signature"] = (TlsAlert.DecryptError, f => Edit(f, HandshakeType.CertificateVerify, m => Body(m, b => [8, 7, .. Vector16([.. b[5..]])]))),
        ["an unreadable CertificateVerify"] = (TlsAlert.DecodeError, f => Edit(f, HandshakeType.CertificateVerify, m => Body(m, b => b.SkipLast(1)))),
        ["a flipped Finished bit"] = (TlsAlert.DecryptError, f => Edit(f, HandshakeType.Finished, m => Body(m, b => [(byte)(b[0] ^ 1), .. b[1..]]))),
        ["a short Finished"] = (TlsAlert.DecodeError, f => Edit(f, HandshakeType.Finished, m => Body(m, b => b.SkipLast(1)))),
        ["no CertificateVerify"] = (TlsAlert.UnexpectedMessage, f => Edit(f, HandshakeType.CertificateVerify, _ => [])),
        ["Finished first"] = (TlsAlert.UnexpectedMessage, f => Edit(f, HandshakeType.Certificate, _ => [])),
        ["a KeyUpdate"] = (TlsAlert.UnexpectedMessage, f => [.. Message(HandshakeType.KeyUpdate, 0), .. f]),
        ["bytes after Finished"] = (TlsAlert.UnexpectedMessage, f => [.. f, 0]),
    };

    public static TheoryData<string> HelloFaults => [.. Hellos.Keys];

    public static TheoryData<string> FinalFaults => [.. Finals.Keys];

    [Theory]
    [MemberData(nameof(HelloFaults))]
    public void A_faulty_ClientHello_is_answered_by_its_alert(string fault)
    {
        (byte alert, Func<byte[], byte[]> edit) = Hellos[fault];
        var pair = new TlsPair { Wire = (fromClient, _, bytes) => fromClient ? edit(bytes) : bytes };

        pair.Run();

        Assert.NotNull(pair.Server.Failure);
        Assert.Equal((alert, TlsFailureKind.Protocol), (pair.Server.Failure.Alert, pair.Server.Failure.Kind));
        Assert.NotEmpty(pair.Server.Failure.Reason);
        Assert.False(pair.Server.Session.IsHandshakeComplete);
    }

    [Theory]
    [MemberData(nameof(FinalFaults))]
    public void A_faulty_last_flight_is_answered_by_its_alert(string fault)
    {
        (byte alert, Func<byte[], byte[]> edit) = Finals[fault];
        var pair = new TlsPair
        {
            Wire = (fromClient, level, bytes) => fromClient && level == EncryptionLevel.Handshake ? edit(bytes) : bytes,
        };

        pair.Run();
        pair.Server.TakeFlight();

        Assert.NotNull(pair.Server.Failure);
        Assert.Equal(alert, pair.Server.Failure.Alert);
        Assert.False(pair.Server.Session.IsHandshakeComplete);
        Assert.Equal(fault == "bytes after Finished", pair.Server.Complete is not null);
    }

    [Fact]
    public void Extensions_may_come_in_any_order_and_unknown_ones_and_tickets_are_ignored()
    {
        TlsEnd server = ServerAfter(m => Extensions(m, all =>
        {
            all.Reverse();
            all.Insert(0, (0x0a0a, [1, 2, 3]));
            all.Add((ServerName, [0, 4, 0, 0, 1, 97]));
            all.Add((ExtensionType.PskKeyExchangeModes, [1, 1]));
            all.Add((ExtensionType.PreSharedKey, [0, 1, 2, 3]));
        }));

        Assert.Null(server.Failure);
        Assert.Equal(2, server.TakeFlight().Count);
    }

    [Fact]
    public void Unknown_suites_groups_schemes_and_shares_before_the_known_ones_are_passed_over()
    {
        TlsEnd server = ServerAfter(m =>
        {
            m = Body(m, b => [.. b[..35], 0, 6, 0x0a, 0x0a, 0x13, 5, 0x13, 3, .. b[43..]]);
            m = With(m, ExtensionType.SupportedGroups, 0, 6, 0x11, 0xec, 0, 0x17, 0, 0x1d);
            m = With(m, ExtensionType.SignatureAlgorithms, 0, 6, 4, 3, 8, 4, 8, 7);
            m = With(m, ExtensionType.ServerCertificateType, 2, 0, 2);
            return With(m, ExtensionType.KeyShare, Vector16([.. P256Share, .. X25519Share]));
        });

        Assert.Null(server.Failure);
        server.TakeFlight();
        Assert.Equal(CipherSuite.ChaCha20Poly1305Sha256, server.Outputs.OfType<TlsSecrets>().First().Suite);
    }

    [Theory]
    [InlineData(EncryptionLevel.Handshake)]
    [InlineData(EncryptionLevel.Application)]
    public void Bytes_at_a_level_whose_turn_it_is_not_are_unexpected(EncryptionLevel level)
    {
        var pair = new TlsPair();

        Assert.Equal(TlsAlert.UnexpectedMessage, pair.Server.Feed(level, [1])!.Alert);
    }

    [Fact]
    public void A_server_expects_nothing_after_the_handshake()
    {
        var pair = new TlsPair();
        pair.Run();

        Assert.Equal(TlsAlert.UnexpectedMessage, pair.Server.Feed(EncryptionLevel.Application, Message(HandshakeType.KeyUpdate, 0))!.Alert);
    }

    [Fact]
    public void A_failure_is_final()
    {
        var pair = new TlsPair();
        byte[] hello = pair.Client.TakeFlight()[0].Bytes.ToArray();
        TlsFailure? first = pair.Server.Feed(EncryptionLevel.Handshake, [1]);

        Assert.NotNull(first);
        Assert.Same(first, pair.Server.Feed(EncryptionLevel.Initial, hello));
        Assert.Same(first, pair.Server.Feed(EncryptionLevel.Initial, []));
        Assert.Empty(pair.Server.TakeFlight());
    }

    [Fact]
    public void A_server_can_expect_a_certain_client_too()
    {
        var pair = new TlsPair(server: TlsPair.ServerConfiguration() with { ExpectedPeerPublicKey = TlsPair.PublicKey(TlsPair.ServerSeed) });

        pair.Run();

        Assert.Equal(TlsFailureKind.PeerIdentityMismatch, pair.Server.Failure!.Kind);
    }

    private static TlsEnd ServerAfter(Func<byte[], byte[]> edit)
    {
        var pair = new TlsPair();
        byte[] hello = pair.Client.TakeFlight()[0].Bytes.ToArray();
        Assert.Equal(0, hello[SuitesAt]);
        pair.Server.Feed(EncryptionLevel.Initial, edit(hello));
        return pair.Server;
    }
}
