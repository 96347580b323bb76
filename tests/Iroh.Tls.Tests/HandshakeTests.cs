using Iroh.Cryptography;

namespace Iroh.Tls.Tests;

public sealed class HandshakeTests
{
    [Theory]
    [InlineData(CipherSuite.Aes128GcmSha256)]
    [InlineData(CipherSuite.Aes256GcmSha384)]
    [InlineData(CipherSuite.ChaCha20Poly1305Sha256)]
    public void Both_sides_complete_with_the_same_secrets_protocol_and_identities(CipherSuite suite)
    {
        var pair = new TlsPair(client: TlsPair.ClientConfiguration() with { CipherSuites = [suite] });

        pair.Run();

        Assert.Null(pair.Client.Failure);
        Assert.Null(pair.Server.Failure);
        Assert.True(pair.Client.Session.IsHandshakeComplete);
        Assert.True(pair.Server.Session.IsHandshakeComplete);
        foreach (EncryptionLevel level in (EncryptionLevel[])[EncryptionLevel.Handshake, EncryptionLevel.Application])
        {
            Assert.Equal(suite.HashLength(), pair.Client.ReadSecret(level).Length);
            Assert.Equal(pair.Client.ReadSecret(level), pair.Server.WriteSecret(level));
            Assert.Equal(pair.Client.WriteSecret(level), pair.Server.ReadSecret(level));
            Assert.NotEqual(pair.Client.WriteSecret(level), pair.Client.ReadSecret(level));
        }

        Assert.All(pair.Client.Outputs.OfType<TlsSecrets>(), s => Assert.Equal(suite, s.Suite));
        Assert.Equal(TlsPair.Bytes("test/1"), pair.Client.Complete!.ApplicationProtocol.ToArray());
        Assert.Equal(TlsPair.Bytes("test/1"), pair.Server.Complete!.ApplicationProtocol.ToArray());
        Assert.Equal(TlsPair.PublicKey(TlsPair.ServerSeed), pair.Client.Complete.PeerPublicKey.ToArray());
        Assert.Equal(TlsPair.PublicKey(TlsPair.ClientSeed), pair.Server.Complete.PeerPublicKey.ToArray());
        Assert.Equal(TlsPair.ServerParameters, pair.Client.PeerTransportParameters);
        Assert.Equal(TlsPair.ClientParameters, pair.Server.PeerTransportParameters);
        Assert.Equal(32, pair.Client.Session.ClientRandom.Length);
        Assert.Equal(pair.Client.Session.ClientRandom.ToArray(), pair.Server.Session.ClientRandom.ToArray());
    }

    [Fact]
    public void Outputs_come_in_the_order_in_which_a_connection_needs_them()
    {
        var pair = new TlsPair();

        pair.Run();

        Assert.Equal(
            [
                "crypto Initial", "secrets Handshake read write",
                "parameters", "crypto Handshake", "secrets Application read write", "complete",
            ],
            pair.Client.Outputs.Select(Describe));
        Assert.Equal(
            [
                "parameters", "crypto Initial", "secrets Handshake read write", "crypto Handshake", "secrets Application write",
                "secrets Application read", "complete",
            ],
            pair.Server.Outputs.Select(Describe));
    }

    [Fact]
    public void The_server_may_write_but_not_read_application_data_before_the_client_has_finished()
    {
        var pair = new TlsPair { Wire = (fromClient, level, bytes) => fromClient && level == EncryptionLevel.Handshake ? [] : bytes };

        pair.Run();

        TlsSecrets secrets = Assert.Single(pair.Server.Outputs.OfType<TlsSecrets>(), s => s.Level == EncryptionLevel.Application);
        Assert.Null(secrets.ReadSecret);
        Assert.NotNull(secrets.WriteSecret);
        Assert.False(pair.Server.Session.IsHandshakeComplete);
        Assert.Null(pair.Server.Complete);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(7)]
    [InlineData(50)]
    public void Flights_may_be_split_at_any_byte(int pieceLength)
    {
        var pair = new TlsPair { PieceLength = pieceLength };

        pair.Run();

        Assert.True(pair.Client.Session.IsHandshakeComplete);
        Assert.True(pair.Server.Session.IsHandshakeComplete);
    }

    [Fact]
    public void The_same_seed_gives_the_same_bytes_and_another_seed_gives_others()
    {
        Assert.Equal(Record(seed: 5), Record(seed: 5));
        Assert.NotEqual(Record(seed: 5), Record(seed: 6));

        static string Record(ulong seed)
        {
            var all = new List<byte>();
            var pair = new TlsPair(seed: seed)
            {
                Wire = (_, _, bytes) =>
                {
                    all.AddRange(bytes);
                    return bytes;
                },
            };
            pair.Run();
            Assert.True(pair.Server.Session.IsHandshakeComplete);
            return Convert.ToHexString(all.ToArray());
        }
    }

    [Fact]
    public void A_ClientHello_leaves_room_for_transport_parameters_in_one_Initial_packet()
    {
        var client = new TlsEnd(TlsSession.CreateClient(TlsPair.ClientConfiguration(), new SeededRandomSource(1)));

        Assert.InRange(Assert.Single(client.TakeFlight()).Bytes.Length, 1, 250);
    }

    [Fact]
    public void Anybody_is_welcome_where_no_peer_is_expected()
    {
        var pair = new TlsPair(client: TlsPair.ClientConfiguration() with { ExpectedPeerPublicKey = null });

        pair.Run();

        Assert.True(pair.Client.Session.IsHandshakeComplete);
    }

    [Fact]
    public void A_server_takes_the_first_of_its_own_protocols_that_is_offered()
    {
        var pair = new TlsPair(
            TlsPair.ClientConfiguration() with { ApplicationProtocols = [TlsPair.Bytes("a"), TlsPair.Bytes("b"), TlsPair.Bytes("c")] },
            TlsPair.ServerConfiguration() with { ApplicationProtocols = [TlsPair.Bytes("x"), TlsPair.Bytes("c"), TlsPair.Bytes("a")] });

        pair.Run();

        Assert.Equal(TlsPair.Bytes("c"), pair.Client.Complete!.ApplicationProtocol.ToArray());
    }

    [Fact]
    public void A_server_takes_the_first_suite_of_the_client_that_it_supports()
    {
        var pair = new TlsPair(
            TlsPair.ClientConfiguration() with
            {
                CipherSuites = [CipherSuite.ChaCha20Poly1305Sha256, CipherSuite.Aes256GcmSha384, CipherSuite.Aes128GcmSha256],
            },
            TlsPair.ServerConfiguration() with { CipherSuites = [CipherSuite.Aes128GcmSha256, CipherSuite.Aes256GcmSha384] });

        pair.Run();

        Assert.Equal(CipherSuite.Aes256GcmSha384, pair.Client.Outputs.OfType<TlsSecrets>().First().Suite);
    }

    private static string Describe(TlsOutput output) => output switch
    {
        TlsCryptoData data => $"crypto {data.Level}",
        TlsSecrets secrets =>
            $"secrets {secrets.Level}{(secrets.ReadSecret is null ? "" : " read")}{(secrets.WriteSecret is null ? "" : " write")}",
        TlsPeerTransportParameters => "parameters",
        _ => "complete",
    };
}
