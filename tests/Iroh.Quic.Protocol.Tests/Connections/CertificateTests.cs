using System.Security.Cryptography.X509Certificates;
using Blixard.Testing.Basics;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Tests.Simulation;
using Iroh.Tls;
using Iroh.Tls.Certificates;

namespace Iroh.Quic.Protocol.Tests.Connections;

/// <summary>A handshake with a server that is dialled by its name: it waits for a verdict on the certificate.</summary>
public sealed class CertificateTests : IDisposable
{
    private readonly TestAuthority _authority = new();
    private readonly X509Certificate2 _certificate;

    public CertificateTests() => _certificate = _authority.Issue(["relay.example"]);

    public void Dispose()
    {
        _certificate.Dispose();
        _authority.Dispose();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    public void The_handshake_completes_with_the_verdict_and_survives_the_wait_for_it(int seconds)
    {
        Pair pair = Dial();

        pair.RunUntil(() => pair.ClientSide.Has(ConnectionEventKind.ServerCertificateShown));
        pair.RunFor(TimeSpan.FromSeconds(seconds));
        Assert.False(pair.ClientSide.Has(ConnectionEventKind.Connected));
        Assert.Equal(_certificate.RawData, Assert.Single(pair.ClientSide.Connection.PeerCertificates).ToArray());
        pair.ClientSide.Connection.AcceptCertificate(pair.Network.Now);
        pair.Drain();
        pair.RunUntil(() => pair.ClientSide.Has(ConnectionEventKind.HandshakeConfirmed));

        Assert.Single(pair.ClientSide.Events, e => e.Kind == ConnectionEventKind.ServerCertificateShown);
        Assert.True(pair.ServerSide.Has(ConnectionEventKind.Connected));
        Assert.True(pair.ClientSide.Connection.PeerPublicKey.IsEmpty);
        Assert.True(pair.ServerSide.Connection.PeerPublicKey.IsEmpty);
    }

    [Fact]
    public void A_refusal_closes_both_ends_with_its_alert()
    {
        Pair pair = Dial();

        pair.RunUntil(() => pair.ClientSide.Has(ConnectionEventKind.ServerCertificateShown));
        pair.ClientSide.Connection.RefuseCertificate(pair.Network.Now, TlsAlert.UnknownCa, "never heard of it");
        pair.Drain();
        pair.RunUntil(() => pair.ServerSide.Has(ConnectionEventKind.Closed));

        Assert.Equal((CloseCause.LocalTransport, 0x130UL, "never heard of it"), Why(pair.ClientSide));
        Assert.Equal((CloseCause.PeerTransport, 0x130UL, "never heard of it"), Why(pair.ServerSide));
        Assert.False(pair.ClientSide.Connection.IsPeerMismatch);
    }

    [Fact]
    public void Without_a_verdict_the_attempt_times_out()
    {
        Pair pair = Dial();

        pair.RunUntil(() => pair.ClientSide.Has(ConnectionEventKind.Closed));

        Assert.False(pair.ClientSide.Has(ConnectionEventKind.Connected));
        Assert.Equal(CloseCause.IdleTimeout, pair.ServerSide.Connection.CloseReason!.Cause);
    }

    [Fact]
    public void Verdicts_that_nobody_asked_for_change_nothing()
    {
        var pair = new Pair();
        SimulatedConnection client = pair.Connect();
        client.Connection.AcceptCertificate(pair.Network.Now);
        pair.RunUntil(() => client.Has(ConnectionEventKind.HandshakeConfirmed));
        client.Connection.AcceptCertificate(pair.Network.Now);
        client.Connection.RefuseCertificate(pair.Network.Now, TlsAlert.UnknownCa, "too late");

        Assert.Null(client.Connection.CloseReason);
    }

    private static (CloseCause Cause, ulong Code, string Reason) Why(SimulatedConnection side)
    {
        CloseReason reason = side.Connection.CloseReason!;
        return (reason.Cause, reason.Code, reason.ReasonText);
    }

    private Pair Dial()
    {
        var pair = new Pair();
        pair.ClientTls = pair.ClientTls with { PrivateKeySeed = default, ExpectedPeerPublicKey = null, ServerName = "relay.example" };
        pair.ServerTls = pair.ServerTls with
        {
            ApplicationProtocols = [],
            Certificate = CertificateIdentity.Create(_certificate),
            CertificateProtocols = [Pair.Protocol],
        };
        pair.Connect();
        return pair;
    }
}
