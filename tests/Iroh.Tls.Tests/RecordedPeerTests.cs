using Iroh.Cryptography;

namespace Iroh.Tls.Tests;

/// <summary>
/// Handshakes with the Rust library (iroh 1.0.2, its ring provider), recorded over loopback. If this library's ClientHello
/// changes, the second recording no longer fits and has to be made anew.
/// </summary>
public sealed class RecordedPeerTests
{
    private static readonly byte[] OwnSeed = [.. Enumerable.Repeat((byte)9, 32)];

    [Fact]
    public void The_ClientHello_of_iroh_is_accepted()
    {
        TlsConfiguration configuration = TlsPair.ServerConfiguration();
        var server = new TlsEnd(TlsSession.CreateServer(configuration, new SeededRandomSource(1)));

        Assert.Null(server.Feed(EncryptionLevel.Initial, Convert.FromHexString(
            "0100015d0303f1bdf57506889a6ce82292c07920e25fe9e668b7b42bacdf6e169b69e13391de0000061302130113030100012e003300" +
            "260024001d00208ef9c07fa40ce43198fc9e3066548b53a8377b7408ffecddc876f045c5570649002b0003020304001700000010" +
            "0009000706746573742f3100390069080240640408ffffffffffffffff0f082098c6773873540f20048000ffff0e0105c0003d7f" +
            "911204010120030245c009024064c0000000ff04de1b0243e80604801312d00704801312d0e98b2edbbbf1d5eb0750de9bc5bccb" +
            "bb3e01070504801312d0010480007530000b00020100002d00020101000000460044000041766b6269386532716b33336c6d7037" +
            "726633366d30627431723638767271766e6463397362336d6e30626c6367646639756f63302e69726f682e696e76616c69640013" +
            "00020102000500050100000000001400020102000a00080006001d00170018000d000400020807")));

        List<TlsCryptoData> flight = server.TakeFlight();
        Assert.Equal([EncryptionLevel.Initial, EncryptionLevel.Handshake], flight.Select(f => f.Level));
        Assert.Equal(CipherSuite.Aes256GcmSha384, server.Outputs.OfType<TlsSecrets>().First().Suite);
        Assert.Equal(105, server.PeerTransportParameters.Length);

        // RFC 7250 and the profile: the answer has four extensions, none of them server_name.
        byte[] encryptedExtensions = MessageEditor.Split(flight[1].Bytes.ToArray())[0];
        var types = new List<ushort>();
        MessageEditor.Extensions(encryptedExtensions, all => types.AddRange(all.Select(e => e.Type)));
        Assert.Equal([16, 19, 20, 57], types);
    }

    [Fact]
    public void The_flight_of_an_iroh_server_completes_the_client_that_it_answered()
    {
        byte[] irohKey = TlsPair.PublicKey([.. Enumerable.Repeat((byte)3, 32)]);
        var client = new TlsEnd(TlsSession.CreateClient(
            new TlsConfiguration
            {
                ApplicationProtocols = [TlsPair.Bytes("test/1")],
                PrivateKeySeed = OwnSeed,
                TransportParameters = Convert.FromHexString(
                    "0f0801020304050607080404801000000504800100000604800100000704800100000802406409024064"),
                ExpectedPeerPublicKey = irohKey,
                CipherSuites = [CipherSuite.Aes128GcmSha256],
            },
            new SeededRandomSource(42)));

        Assert.Null(client.Feed(EncryptionLevel.Initial, Convert.FromHexString(
            "020000560303509272e0eedade7f9c1d9d7d4c04d174518445e128de746303bcfc28a12a967200130100002e00330024001d0020c64f" +
            "ff06f07780a87093a06353966fa83114da3e1d08dc51d125148f7398e639002b00020304")));
        Assert.Null(client.Feed(EncryptionLevel.Handshake, Convert.FromHexString(
            "080000aa00a800100009000706746573742f31001300010200140001020039008d20048000ffff0104800075300f083a66edfe37043b" +
            "5df8e05c9e4ab4ff4d034aa82e0408ffffffffffffffff0e01050014320a51fa3dacc4d2ddf99dc707e1db1cab76a952c0000000" +
            "ff04de1b0243e808024064021003bbe14b07e5752b927f040b271e9022030245c0c0003d7f9112040101200504801312d0070480" +
            "1312d03e0107090240640604801312d00d00000b000008000d0004000208070b0000350000003100002c302a300506032b657003" +
            "2100ed4928c628d1c2c6eae90338905995612959273a5c63f93636c14614ac8737d100000f000044080700407cfc102c0c6c4f21" +
            "a5f796841377a14c5cae4e5a943176b97ec08b3a2be7bec35a0fe8acaa73b061bd838d8b6cea2b3920ae4232f48630cd76d7d069" +
            "5c492004140000206748155630cf7e72850c572c1868079d78a9a2a0590b8c6e85d2e5ebb7388c78")));

        client.TakeFlight();
        Assert.Equal(irohKey, client.Complete!.PeerPublicKey.ToArray());
        Assert.Equal(141, client.PeerTransportParameters.Length);
    }
}
