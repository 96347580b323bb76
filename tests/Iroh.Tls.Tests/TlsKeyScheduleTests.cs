using System.Security.Cryptography;
using Iroh.Cryptography;
using Iroh.Tls.HandshakeMessages;

namespace Iroh.Tls.Tests;

/// <summary>RFC 8448 §3 (Simple 1-RTT Handshake) and RFC 9001 §A.1, byte for byte.</summary>
public sealed class TlsKeyScheduleTests
{
    private const string ClientHelloBytes =
        "010000c00303cb34ecb1e78163ba1c38c6dacb196a6dffa21a8d9912ec18a2ef6283024dece7000006130113031302010000910000000b" +
        "0009000006736572766572ff01000100000a00140012001d001700180019010001010102010301040023000000330026002400" +
        "1d002099381de560e4bd43d23d8e435a7dbafeb3c06e51c13cae4d5413691e529aaf2c002b0003020304000d0020001e040305" +
        "030603020308040805080604010501060102010402050206020202002d00020101001c00024001";

    private const string ServerHelloBytes =
        "020000560303a6af06a4121860dc5e6e60249cd34c95930c8ac5cb1434dac155772ed3e2692800130100002e00330024001d0020c98288" +
        "76112095fe66762bdbf7c672e156d6cc253b833df1dd69b1b04e751f0f002b00020304";

    private const string EncryptedExtensionsBytes =
        "080000240022000a00140012001d00170018001901000101010201030104001c0002400100000000";

    internal const string CertificateBytes =
        "0b0001b9000001b50001b0308201ac30820115a003020102020102300d06092a864886f70d01010b0500300e310c300a06035504031303" +
        "727361301e170d3136303733303031323335395a170d3236303733303031323335395a300e310c300a0603550403130372736130" +
        "819f300d06092a864886f70d010101050003818d0030818902818100b4bb498f8279303d980836399b36c6988c0c68de55e1bdb8" +
        "26d3901a2461eafd2de49a91d015abbc9a95137ace6c1af19eaa6af98c7ced43120998e187a80ee0ccb0524b1b018c3e0b63264d" +
        "449a6d38e22a5fda430846748030530ef0461c8ca9d9efbfae8ea6d1d03e2bd193eff0ab9a8002c47428a6d35a8d88d79f7f1e3f" +
        "0203010001a31a301830090603551d1304023000300b0603551d0f0404030205a0300d06092a864886f70d01010b050003818100" +
        "85aad2a0e5b9276b908c65f73a7267170618a54c5f8a7b337d2df7a594365417f2eae8f8a58c8f8172f9319cf36b7fd6c55b80f2" +
        "1a03015156726096fd335e5e67f2dbf102702e608ccae6bec1fc63a42a99be5c3eb7107c3c54e9b9eb2bd5203b1c3b84e0a8b2f7" +
        "59409ba3eac9d91d402dcc0cc8f8961229ac9187b42b4de10000";

    internal const string CertificateVerifyBytes =
        "0f000084080400805a747c5d88fa9bd2e55ab085a61015b7211f824cd484145ab3ff52f1fda8477b0b7abc90db78e2d33a5c141a078653" +
        "fa6bef780c5ea248eeaaa785c4f394cab6d30bbe8d4859ee511f602957b15411ac027671459e46445c9ea58c181e818e95b8c3fb" +
        "0bf3278409d3be152a3da5043e063dda65cdf5aea20d53dfacd42f74f3";

    private const string ServerFinishedBytes =
        "140000209b9b141d906337fbd2cbdce71df4deda4ab42c309572cb7fffee5454b78f0718";

    /// <summary>What the signature of <see cref="CertificateVerifyBytes"/> is over.</summary>
    internal static readonly string[] MessagesBeforeCertificateVerify =
        [ClientHelloBytes, ServerHelloBytes, EncryptedExtensionsBytes, CertificateBytes];

    private static readonly HashAlgorithmName Sha256 = HashAlgorithmName.SHA256;

    [Fact]
    public void Secrets_and_Finished_of_the_simple_handshake_match_RFC_8448()
    {
        byte[] shared = new byte[X25519.KeyLength];
        Assert.True(X25519.TryAgree(
            Hex("49af42ba7f7994852d713ef2784bcbcaa7911de26adc5642cb634540e7ea5005"),
            Hex("c9828876112095fe66762bdbf7c672e156d6cc253b833df1dd69b1b04e751f0f"),
            shared));
        Same("8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d", shared);

        var transcript = new Transcript();
        var schedule = new TlsKeySchedule(CipherSuite.Aes128GcmSha256);
        Same("33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a", schedule.Current);

        schedule.EnterHandshake(shared);
        Same("1dc826e93606aa6fdc0aadc12f741b01046aa6b99f691ed221a9f0ca043fbeac", schedule.Current);
        transcript.Append(Hex(ClientHelloBytes));
        transcript.Append(Hex(ServerHelloBytes));
        byte[] hellos = transcript.Hash(Sha256);
        Same("860c06edc07858ee8e78f0e7428c58edd6b43f2ca3e6e95f02ed063cf0e1cad8", hellos);
        byte[] client = schedule.DeriveSecret("c hs traffic"u8, hellos);
        byte[] server = schedule.DeriveSecret("s hs traffic"u8, hellos);
        Same("b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21", client);
        Same("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38", server);
        Same("3fce516009c21727d0f2e4e86ee403bc", ExpandLabel(server, "key"u8, 16));
        Same("5d313eb2671276ee13000b30", ExpandLabel(server, "iv"u8, 12));
        Same("008d3b66f816ea559f96b537e885c31fc068bf492c652f01f288a1d8cdc19fc8", ExpandLabel(server, "finished"u8, 32));
        Same("b80ad01015fb2f0bd65ff7d4da5d6bf83f84821d1f87fdc7d3c75b5a7b42d9c4", ExpandLabel(client, "finished"u8, 32));

        foreach (string message in (string[])[EncryptedExtensionsBytes, CertificateBytes, CertificateVerifyBytes])
            transcript.Append(Hex(message));
        Same(ServerFinishedBytes[8..], TlsKeySchedule.ComputeVerifyData(Sha256, server, transcript.Hash(Sha256)));
        transcript.Append(Hex(ServerFinishedBytes));
        byte[] all = transcript.Hash(Sha256);
        Same("9608102a0f1ccc6db6250b7b7e417b1a000eaada3daae4777a7686c9ff83df13", all);
        Same(
            "a8ec436d677634ae525ac1fcebe11a039ec17694fac6e98527b642f2edd5ce61",
            TlsKeySchedule.ComputeVerifyData(Sha256, client, all));

        schedule.EnterMaster();
        Same("18df06843d13a08bf2a449844c5f8a478001bc4d4c627984d5a41da8d0402919", schedule.Current);
        Same(
            "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5", schedule.DeriveSecret("c ap traffic"u8, all));
        Same(
            "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643", schedule.DeriveSecret("s ap traffic"u8, all));
        Same("fe22f881176eda18eb8f44529e6792c50c9a3f89452f68d8ae311b4309d3cf50", schedule.DeriveSecret("exp master"u8, all));
    }

    [Fact]
    public void The_ServerHello_of_RFC_8448_is_written_and_read_byte_for_byte()
    {
        byte[] share = Hex("c9828876112095fe66762bdbf7c672e156d6cc253b833df1dd69b1b04e751f0f");

        Assert.Null(ServerHello.Read(Hex(ServerHelloBytes).AsSpan(4), out ServerHello hello));

        Assert.Equal(CipherSuite.Aes128GcmSha256, hello.Suite);
        Assert.False(hello.IsRetryRequest);
        Same(Convert.ToHexStringLower(share), hello.KeyShare);

        // This library writes the same two extensions in the other order.
        var writer = new TlsWriter();
        ServerHello.Write(writer, Hex(ServerHelloBytes).AsSpan(6, 32), hello.Suite, KeyExchangeGroup.X25519, share);
        string extensions = ServerHelloBytes[(2 * 44)..];
        Same(ServerHelloBytes[..(2 * 44)] + extensions[^12..] + extensions[..^12], writer.Written);
    }

    [Fact]
    public void The_ClientHello_of_RFC_8448_can_be_read()
    {
        Assert.Null(ClientHello.Read(Hex(ClientHelloBytes).AsSpan(4), out ClientHello hello));

        Same("99381de560e4bd43d23d8e435a7dbafeb3c06e51c13cae4d5413691e529aaf2c", hello.X25519KeyShare);
        Same("130113031302", hello.CipherSuites);
        Same("0304", hello.SupportedVersions);
        Same("001d00170018001901000101010201030104", hello.SupportedGroups);
        Assert.False(hello.HasTransportParameters);
    }

    // RFC 9001 §A.1: from the client's first Destination Connection ID to the packet keys of both sides.
    [Fact]
    public void Initial_keys_match_RFC_9001()
    {
        byte[] initial = HKDF.Extract(Sha256, Hex("8394c8f03e515708"), Hex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a"));
        Same("7db5df06e7a69e432496adedb00851923595221596ae2ae9fb8115c1e9ed0a44", initial);

        byte[] client = ExpandLabel(initial, "client in"u8, 32);
        Same("c00cf151ca5be075ed0ebfb5c80323c42d6b7db67881289af4008f1f6c357aea", client);
        Same("1f369613dd76d5467730efcbe3b1a22d", ExpandLabel(client, "quic key"u8, 16));
        Same("fa044b2f42a3fd3b46fb255c", ExpandLabel(client, "quic iv"u8, 12));
        Same("9f50449e04a0e810283a1e9933adedd2", ExpandLabel(client, "quic hp"u8, 16));

        byte[] server = ExpandLabel(initial, "server in"u8, 32);
        Same("3c199828fd139efd216c155ad844cc81fb82fa8d7446fa7d78be803acdda951b", server);
        Same("cf3a5331653c364c88f0f379b6067e37", ExpandLabel(server, "quic key"u8, 16));
        Same("0ac1493ca1905853b0bba03e", ExpandLabel(server, "quic iv"u8, 12));
        Same("c206b8d9b9f0f37644430b490eeaa314", ExpandLabel(server, "quic hp"u8, 16));
    }

    // RFC 9001 §A.5.
    [Fact]
    public void The_next_secret_of_a_key_update_matches_RFC_9001()
    {
        byte[] secret = Hex("9ac312a7f877468ebe69422748ad00a15443f18203a07d6060f688f30f21632b");

        Same("c6d98ff3441c3fe1b2182094f69caa2ed4b716b65488960a7a984979fb23e1c8", ExpandLabel(secret, "quic key"u8, 32));
        Same("e0459b3474bdd0e44a41c144", ExpandLabel(secret, "quic iv"u8, 12));
        Same("25a282b9e82f06f21f488917a4fc8f1b73573685608597d0efcb076b0ab7a7a4", ExpandLabel(secret, "quic hp"u8, 32));
        Same("1223504755036d556342ee9361d253421a826c9ecdf3c7148684b36b714881f9", ExpandLabel(secret, "quic ku"u8, 32));
    }

    [Fact]
    public void Labels_and_contexts_beyond_their_vectors_are_refused()
    {
        Assert.Throws<ArgumentException>(() => TlsKeySchedule.HkdfExpandLabel(Sha256, new byte[32], new byte[250], [], new byte[1]));
        Assert.Throws<ArgumentException>(() => TlsKeySchedule.HkdfExpandLabel(Sha256, new byte[32], [], new byte[256], new byte[1]));
    }

    private static byte[] ExpandLabel(byte[] secret, ReadOnlySpan<byte> label, int length)
    {
        byte[] output = new byte[length];
        TlsKeySchedule.HkdfExpandLabel(Sha256, secret, label, [], output);
        return output;
    }

    private static byte[] Hex(string text) => Convert.FromHexString(text);

    private static void Same(string expected, ReadOnlySpan<byte> actual) => Assert.Equal(expected, Convert.ToHexStringLower(actual));
}
