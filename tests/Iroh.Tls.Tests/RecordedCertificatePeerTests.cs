using Iroh.Cryptography;
using Iroh.Tls.HandshakeMessages;

namespace Iroh.Tls.Tests;

/// <summary>
/// Handshakes with quic-go, which knows ordinary certificates only, recorded over loopback: the files in <c>Recorded</c>. If this library's
/// ClientHello changes for servers that are dialled by name, its recordings have to be made anew.
/// </summary>
public sealed class RecordedCertificatePeerTests
{
    private static readonly byte[] Protocol = TlsPair.Bytes("/iroh-qad/0");

    [Theory]
    [InlineData("quic-go-ecdsa-p256", 1)]
    [InlineData("quic-go-ecdsa-p384", 1)]
    [InlineData("quic-go-rsa-2048", 1)]
    [InlineData("quic-go-retry-p256", 2)]
    public void A_server_of_quic_go_completes_the_client_that_it_answered(string recording, int hellos)
    {
        string[][] lines = Read(recording);
        var client = new TlsEnd(TlsSession.CreateClient(
            new TlsConfiguration
            {
                ApplicationProtocols = [Protocol],
                TransportParameters = Convert.FromHexString(lines.Single(line => line[0] == "parameters")[1]),
                ServerName = "relay.example",
                KeyExchangeGroups = [KeyExchangeGroup.X25519, KeyExchangeGroup.Secp256r1],
            },
            new Replay(Convert.FromHexString(lines.Single(line => line[0] == "random")[1]))));
        var sent = new List<(string Level, string Bytes)>();

        foreach (string[] line in lines.Where(line => line[0] == "received"))
        {
            sent.AddRange(client.TakeFlight().Select(Describe));
            Assert.Null(client.Feed(Level(line[1]), Convert.FromHexString(line[2])));
        }

        sent.AddRange(client.TakeFlight().Select(Describe));
        Assert.True(client.Session.IsHandshakeComplete);
        Assert.Equal(Protocol, client.Complete!.ApplicationProtocol.ToArray());
        Assert.Equal(hellos, sent.Count(flight => flight.Level == "initial"));
        Assert.Equal(lines.Where(line => line[0] == "sent").Select(line => (line[1], line[2])), sent);

        static (string Level, string Bytes) Describe(TlsCryptoData data) =>
            (data.Level.ToString().ToLowerInvariant(), Convert.ToHexStringLower(data.Bytes.Span));
    }

    [Fact]
    public void ClientHellos_of_quic_go_are_answered_with_what_they_offer()
    {
        foreach (string[] line in Read("quic-go-hellos"))
        {
            var server = new TlsEnd(TlsSession.CreateServer(
                new TlsConfiguration
                {
                    ApplicationProtocols = [],
                    TransportParameters = TlsPair.ServerParameters,
                    Certificate = TestCertificates.Identity,
                    CertificateProtocols = [Protocol],
                    KeyExchangeGroups = [KeyExchangeGroup.X25519, KeyExchangeGroup.Secp256r1],
                },
                new SeededRandomSource(1)));

            Assert.Null(server.Feed(EncryptionLevel.Initial, Convert.FromHexString(line[2])));

            List<TlsCryptoData> flight = server.TakeFlight();
            Assert.Equal([EncryptionLevel.Initial, EncryptionLevel.Handshake], flight.Select(data => data.Level));
            Assert.Equal(
                [HandshakeType.EncryptedExtensions, HandshakeType.Certificate, HandshakeType.CertificateVerify, HandshakeType.Finished],
                MessageEditor.Split(flight[1].Bytes.ToArray()).Select(message => (HandshakeType)message[0]));
        }
    }

    private static string[][] Read(string recording) =>
    [
        .. File.ReadLines(Path.Combine(AppContext.BaseDirectory, "Recorded", recording + ".txt"))
            .Where(line => line[0] != '#')
            .Select(line => line.Split(' ')),
    ];

    private static EncryptionLevel Level(string name) => Enum.Parse<EncryptionLevel>(name, ignoreCase: true);

    private sealed class Replay(byte[] bytes) : RandomSource
    {
        private int _taken;

        public override void Fill(Span<byte> destination)
        {
            bytes.AsSpan(_taken, destination.Length).CopyTo(destination);
            _taken += destination.Length;
        }
    }
}
