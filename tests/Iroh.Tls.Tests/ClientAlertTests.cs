using Iroh.Tls.HandshakeMessages;
using static Iroh.Tls.Tests.MessageEditor;

namespace Iroh.Tls.Tests;

/// <summary>What a client answers to a server that does something wrong: one row per fault, with the alert that it must give.</summary>
public sealed class ClientAlertTests
{
    private const ushort ServerName = 0;
    private const ushort EarlyData = 42;

    private static readonly Dictionary<string, (byte Alert, Func<byte[], byte[]> Edit)> All = new()
    {
        ["ServerHello without version"] = (TlsAlert.ProtocolVersion, Hello(m => Without(m, ExtensionType.SupportedVersions))),
        ["ServerHello without extensions"] = (TlsAlert.ProtocolVersion, Hello(m => Body(m, b => b.Take(38)))),
        ["ServerHello with TLS 1.2"] = (TlsAlert.IllegalParameter, Hello(m => With(m, ExtensionType.SupportedVersions, 3, 3))),
        ["ServerHello with a list of versions"] = (TlsAlert.DecodeError, Hello(m => With(m, ExtensionType.SupportedVersions, 2, 3, 4))),
        ["ServerHello with another legacy version"] = (TlsAlert.IllegalParameter, Hello(m => Body(m, b => [3, 2, .. b[2..]]))),
        ["ServerHello with a session id"] = (TlsAlert.IllegalParameter, Hello(m => Body(m, b => [.. b[..34], 1, 7, .. b[35..]]))),
        ["ServerHello with a suite that was not offered"] = (TlsAlert.IllegalParameter, Hello(m => Body(m, b => [.. b[..35], 0x13, 4, .. b[37..]]))),
        ["ServerHello with compression"] = (TlsAlert.IllegalParameter, Hello(m => Body(m, b => [.. b[..37], 1, .. b[38..]]))),
        ["ServerHello without key_share"] = (TlsAlert.MissingExtension, Hello(m => Without(m, ExtensionType.KeyShare))),
        ["ServerHello with another group"] = (TlsAlert.IllegalParameter, Hello(m => With(m, ExtensionType.KeyShare, [0, 0x17, .. Vector16(new byte[65])]))),
        ["ServerHello with a share of small order"] = (TlsAlert.IllegalParameter, Hello(m => With(m, ExtensionType.KeyShare, [0, 0x1d, .. Vector16(new byte[32])]))),
        ["ServerHello with an unreadable share"] = (TlsAlert.DecodeError, Hello(m => With(m, ExtensionType.KeyShare, 0, 0x1d, 0, 9))),
        ["ServerHello with pre_shared_key"] = (TlsAlert.UnsupportedExtension, Hello(m => With(m, ExtensionType.PreSharedKey, 0, 0))),
        ["ServerHello with ALPN"] = (TlsAlert.IllegalParameter, Hello(m => With(m, ExtensionType.ApplicationLayerProtocolNegotiation, 0, 2, 1, 97))),
        ["ServerHello with a cookie"] = (TlsAlert.UnsupportedExtension, Hello(m => With(m, ExtensionType.Cookie, 0, 1, 1))),
        ["ServerHello with an extension twice"] = (TlsAlert.IllegalParameter, Hello(m => Extensions(m, all => all.Add(all[0])))),
        ["ServerHello with a byte too many"] = (TlsAlert.DecodeError, Hello(m => Body(m, b => b.Append((byte)0)))),
        ["EncryptedExtensions at the Initial level"] = (TlsAlert.UnexpectedMessage, Hello(m => [.. m, .. Message(HandshakeType.EncryptedExtensions, 0, 0)])),
        ["a ClientHello"] = (TlsAlert.UnexpectedMessage, Hello(m => Message(HandshakeType.ClientHello, m[4..]))),

        ["no ALPN"] = (TlsAlert.NoApplicationProtocol, Flight(HandshakeType.EncryptedExtensions, m => Without(m, ExtensionType.ApplicationLayerProtocolNegotiation))),
        ["ALPN that was not offered"] = (TlsAlert.IllegalParameter, Flight(HandshakeType.EncryptedExtensions, m => With(m, ExtensionType.ApplicationLayerProtocolNegotiation, 0, 2, 1, 97))),
        ["two ALPN names"] = (TlsAlert.DecodeError, Flight(HandshakeType.EncryptedExtensions, m => With(m, ExtensionType.ApplicationLayerProtocolNegotiation, 0, 4, 1, 97, 1, 98))),
        ["no transport parameters"] = (TlsAlert.MissingExtension, Flight(HandshakeType.EncryptedExtensions, m => Without(m, ExtensionType.QuicTransportParameters))),
        ["no client_certificate_type"] = (TlsAlert.HandshakeFailure, Flight(HandshakeType.EncryptedExtensions, m => Without(m, ExtensionType.ClientCertificateType))),
        ["no server_certificate_type"] = (TlsAlert.HandshakeFailure, Flight(HandshakeType.EncryptedExtensions, m => Without(m, ExtensionType.ServerCertificateType))),
        ["a list of certificate types"] = (TlsAlert.HandshakeFailure, Flight(HandshakeType.EncryptedExtensions, m => With(m, ExtensionType.ServerCertificateType, 1, 2))),
        ["X.509"] = (TlsAlert.HandshakeFailure, Flight(HandshakeType.EncryptedExtensions, m => With(m, ExtensionType.ServerCertificateType, 0))),
        ["server_name that was not offered"] = (TlsAlert.UnsupportedExtension, Flight(HandshakeType.EncryptedExtensions, m => With(m, ServerName))),
        ["early_data that was not offered"] = (TlsAlert.UnsupportedExtension, Flight(HandshakeType.EncryptedExtensions, m => With(m, EarlyData))),
        ["key_share in EncryptedExtensions"] = (TlsAlert.IllegalParameter, Flight(HandshakeType.EncryptedExtensions, m => With(m, ExtensionType.KeyShare, 0, 0x1d))),
        ["unreadable EncryptedExtensions"] = (TlsAlert.DecodeError, Flight(HandshakeType.EncryptedExtensions, m => Body(m, b => b.SkipLast(1)))),

        ["CertificateRequest with a context"] = (TlsAlert.IllegalParameter, Flight(HandshakeType.CertificateRequest, m => Body(m, b => [1, 7, .. b[1..]]))),
        ["CertificateRequest without schemes"] = (TlsAlert.MissingExtension, Flight(HandshakeType.CertificateRequest, m => Without(m, ExtensionType.SignatureAlgorithms))),
        ["CertificateRequest for ECDSA"] = (TlsAlert.HandshakeFailure, Flight(HandshakeType.CertificateRequest, m => With(m, ExtensionType.SignatureAlgorithms, 0, 2, 4, 3))),
        ["unreadable schemes"] = (TlsAlert.DecodeError, Flight(HandshakeType.CertificateRequest, m => With(m, ExtensionType.SignatureAlgorithms, 0, 1, 4))),
        ["no CertificateRequest"] = (TlsAlert.UnexpectedMessage, Flight(HandshakeType.CertificateRequest, _ => [])),

        ["an empty Certificate"] = (TlsAlert.DecodeError, Flight(HandshakeType.Certificate, _ => Message(HandshakeType.Certificate, 0, 0, 0, 0))),
        ["two keys"] = (TlsAlert.BadCertificate, Flight(HandshakeType.Certificate, m => Body(m, b => [0, .. Vector24([.. b[4..], .. b[4..]])]))),
        ["a key that is no point"] = (TlsAlert.BadCertificate, Flight(HandshakeType.Certificate, m => Body(m, b => [.. b[..19], 2, .. new byte[31], 0, 0]))),
        ["a key that did not sign"] = (TlsAlert.DecryptError, Flight(HandshakeType.Certificate, m => Body(m, b => [.. b[..19], .. TlsPair.PublicKey(TlsPair.ClientSeed), 0, 0]))),
        ["a signature over another transcript"] = (TlsAlert.DecryptError, Flight(HandshakeType.EncryptedExtensions, m => With(m, ExtensionType.QuicTransportParameters, 9))),
        ["a flipped signature bit"] = (TlsAlert.DecryptError, Flight(HandshakeType.CertificateVerify, m => Body(m, b => [.. b[..20], (byte)(b[20] ^ 1), .. b[21..]]))),
        ["a scheme that was not offered"] = (TlsAlert.IllegalParameter, Flight(HandshakeType.CertificateVerify, m => Body(m, b => [4, 3, .. b[2..]]))),
        ["a flipped Finished bit"] = (TlsAlert.DecryptError, Flight(HandshakeType.Finished, m => Body(m, b => [.. b[..31], (byte)(b[31] ^ 0x80)]))),
        ["a long Finished"] = (TlsAlert.DecodeError, Flight(HandshakeType.Finished, m => Body(m, b => b.Append((byte)0)))),
        ["a ticket before the end"] = (TlsAlert.UnexpectedMessage, Flight(HandshakeType.Finished, m => [.. Ticket(), .. m])),
        ["bytes after Finished"] = (TlsAlert.UnexpectedMessage, Flight(HandshakeType.Finished, m => [.. m, 4])),
    };

    public static TheoryData<string> Faults => [.. All.Keys];

    [Theory]
    [MemberData(nameof(Faults))]
    public void A_faulty_server_is_answered_by_its_alert(string fault)
    {
        (byte alert, Func<byte[], byte[]> edit) = All[fault];
        var pair = new TlsPair { Wire = (fromClient, _, bytes) => fromClient ? bytes : edit(bytes) };

        pair.Run();

        Assert.NotNull(pair.Client.Failure);
        Assert.Equal((alert, TlsFailureKind.Protocol), (pair.Client.Failure.Alert, pair.Client.Failure.Kind));
        Assert.NotEmpty(pair.Client.Failure.Reason);
        Assert.False(pair.Client.Session.IsHandshakeComplete);
        Assert.False(pair.Server.Session.IsHandshakeComplete);
    }

    [Fact]
    public void A_server_with_another_identity_is_told_apart_from_a_broken_one()
    {
        var pair = new TlsPair(server: TlsPair.ServerConfiguration() with { PrivateKeySeed = new byte[32] });

        pair.Run();

        Assert.Equal(TlsFailureKind.PeerIdentityMismatch, pair.Client.Failure!.Kind);
        Assert.Equal(TlsAlert.BadCertificate, pair.Client.Failure.Alert);
        Assert.Null(pair.Client.Complete);
    }

    [Fact]
    public void Extra_things_that_are_allowed_reach_the_signature_check()
    {
        // Changing the flight breaks the signature, and only that, if everything before was accepted.
        var pair = new TlsPair
        {
            Wire = (fromClient, level, bytes) => fromClient || level != EncryptionLevel.Handshake
                ? bytes
                : MessageEditor.Edit(
                    MessageEditor.Edit(bytes, HandshakeType.EncryptedExtensions, m => With(m, ExtensionType.SupportedGroups, 0, 2, 0, 0x17)),
                    HandshakeType.CertificateRequest,
                    m => With(With(m, 47, 0, 0), ExtensionType.SignatureAlgorithms, 0, 4, 4, 3, 8, 7)),
        };

        pair.Run();

        Assert.Equal(TlsAlert.DecryptError, pair.Client.Failure!.Alert);
    }

    [Fact]
    public void Tickets_are_ignored_whole_or_in_pieces()
    {
        var pair = new TlsPair();
        pair.Run();
        byte[] tickets = [.. Ticket(), .. Ticket()];

        Assert.Null(pair.Client.Feed(EncryptionLevel.Application, tickets));
        foreach (byte b in tickets)
            Assert.Null(pair.Client.Feed(EncryptionLevel.Application, [b]));
        Assert.Empty(pair.Client.TakeFlight());
        Assert.True(pair.Client.Session.IsHandshakeComplete);
    }

    [Fact]
    public void After_the_handshake_key_updates_and_unreadable_tickets_are_refused()
    {
        Assert.Equal(TlsAlert.UnexpectedMessage, AfterHandshake(EncryptionLevel.Application, Message(HandshakeType.KeyUpdate, 0)));
        Assert.Equal(TlsAlert.DecodeError, AfterHandshake(EncryptionLevel.Application, Message(HandshakeType.NewSessionTicket, 0)));
        Assert.Equal(TlsAlert.UnexpectedMessage, AfterHandshake(EncryptionLevel.Handshake, Ticket()));
        Assert.Equal(TlsAlert.UnexpectedMessage, AfterHandshake(EncryptionLevel.Initial, Ticket()));

        static byte AfterHandshake(EncryptionLevel level, byte[] bytes)
        {
            var pair = new TlsPair();
            pair.Run();
            return pair.Client.Feed(level, bytes)!.Alert;
        }
    }

    private static Func<byte[], byte[]> Hello(Func<byte[], byte[]> edit) => Flight(HandshakeType.ServerHello, edit);

    private static Func<byte[], byte[]> Flight(HandshakeType type, Func<byte[], byte[]> edit) => flight => Edit(flight, type, edit);

    // As a rustls server sends it: lifetime, age_add, nonce of 32 bytes, ticket, early_data.
    private static byte[] Ticket() => Message(
        HandshakeType.NewSessionTicket,
        [0, 1, 0x51, 0x80, 1, 2, 3, 4, .. Vector8(new byte[32]), .. Vector16(new byte[32]), .. Vector16(0, 42, 0, 4, 255, 255, 255, 255)]);
}
