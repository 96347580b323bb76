using Iroh.Cryptography;

namespace Iroh.Tls.Tests;

public sealed class TlsConfigurationTests
{
    public static TheoryData<string> Faults =>
        ["no protocol", "empty protocol", "long protocol", "many protocols", "short seed", "long parameters", "short peer", "no suite", "unknown suite"];

    [Theory]
    [MemberData(nameof(Faults))]
    public void A_configuration_that_no_handshake_could_work_with_is_refused(string fault)
    {
        TlsConfiguration good = TlsPair.ClientConfiguration();
        TlsConfiguration bad = fault switch
        {
            "no protocol" => good with { ApplicationProtocols = [] },
            "empty protocol" => good with { ApplicationProtocols = [Array.Empty<byte>()] },
            "long protocol" => good with { ApplicationProtocols = [new byte[256]] },
            "many protocols" => good with { ApplicationProtocols = [.. Enumerable.Range(0, 17).Select(_ => (ReadOnlyMemory<byte>)new byte[255])] },
            "short seed" => good with { PrivateKeySeed = new byte[31] },
            "long parameters" => good with { TransportParameters = new byte[8193] },
            "short peer" => good with { ExpectedPeerPublicKey = new byte[31] },
            "no suite" => good with { CipherSuites = [] },
            _ => good with { CipherSuites = [(CipherSuite)0x1304] },
        };

        Assert.Throws<ArgumentException>(() => TlsSession.CreateClient(bad, new SeededRandomSource(1)));
        Assert.Throws<ArgumentException>(() => TlsSession.CreateServer(bad, new SeededRandomSource(1)));
    }

    [Fact]
    public void The_biggest_configuration_makes_a_ClientHello_that_a_server_reads()
    {
        TlsConfiguration client = TlsPair.ClientConfiguration() with
        {
            ApplicationProtocols = [.. Enumerable.Range(0, 15).Select(i => (ReadOnlyMemory<byte>)new byte[255]), TlsPair.Bytes("test/1")],
            TransportParameters = new byte[8192],
        };
        var pair = new TlsPair(client);

        pair.Run();

        Assert.True(pair.Server.Session.IsHandshakeComplete);
    }
}
