using System.Text;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Diagnostics;
using Iroh.Quic.Protocol.Endpoint;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Tests.Simulation;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Tests.Connections;

public class HandshakeTests
{
    private const ulong NoApplicationProtocol = TransportErrorCode.CryptoErrorBase + 120;

    [Fact]
    public void Both_ends_connect_and_know_each_other()
    {
        Pair pair = new Pair().Establish();
        foreach (SimulatedConnection side in new[] { pair.ClientSide, pair.ServerSide })
        {
            Assert.Equal(ConnectionPhase.Established, side.Connection.Phase);
            Assert.Equal(Pair.Protocol, side.Connection.ApplicationProtocol);
            Assert.Single(side.Events, e => e.Kind == ConnectionEventKind.Connected);
            Assert.Single(side.Events, e => e.Kind == ConnectionEventKind.HandshakeConfirmed);
        }

        Assert.Equal(pair.ServerPublicKey, pair.ClientSide.Connection.PeerPublicKey);
        Assert.Equal(pair.ClientPublicKey, pair.ServerSide.Connection.PeerPublicKey);
        Assert.Equal(0, pair.Server.Core.HandshakeCount);
    }

    [Fact]
    public void A_handshake_takes_one_round_trip_for_the_client_and_one_and_a_half_for_the_server()
    {
        var pair = new Pair();
        Instant start = pair.Network.Now;
        pair.Connect();
        pair.RunUntil(() => pair.ClientSide.Has(ConnectionEventKind.Connected));
        Assert.Equal(pair.Network.Conditions.Latency * 2, pair.Network.Now - start);
        pair.RunUntil(() => pair.ServerSide.Has(ConnectionEventKind.Connected));
        Assert.Equal(pair.Network.Conditions.Latency * 3, pair.Network.Now - start);
    }

    [Fact]
    public void Every_datagram_with_a_client_Initial_has_1200_bytes()
    {
        var pair = new Pair();
        var sizes = new List<int>();
        pair.Client.Sending += (_, bytes) =>
        {
            if ((bytes.Span[0] & 0xb0) == 0x80)
                sizes.Add(bytes.Length);
        };
        pair.Establish();
        Assert.NotEmpty(sizes);
        Assert.All(sizes, size => Assert.Equal(1200, size));
    }

    [Theory]
    [InlineData(CipherSuite.Aes128GcmSha256)]
    [InlineData(CipherSuite.Aes256GcmSha384)]
    [InlineData(CipherSuite.ChaCha20Poly1305Sha256)]
    public void Every_cipher_suite_works(CipherSuite suite)
    {
        var client = new TransferApplication((StreamDirection.Bidirectional, 10_000));
        var server = new TransferApplication { StreamsExpected = 1 };
        var pair = new Pair { ServerApplication = server };
        pair.ClientTls = pair.ClientTls with { CipherSuites = [suite] };
        pair.Connect(client);
        pair.RunUntil(() => client.IsComplete && server.IsComplete);
    }

    [Fact]
    public void Without_a_common_protocol_both_ends_fail_with_0x178()
    {
        var pair = new Pair();
        pair.ClientTls = pair.ClientTls with { ApplicationProtocols = [Encoding.ASCII.GetBytes("other")] };
        pair.Connect();
        pair.RunUntilQuiet();
        Assert.Equal(CloseCause.PeerTransport, pair.ClientSide.Connection.CloseReason!.Cause);
        Assert.Equal(NoApplicationProtocol, pair.ClientSide.Connection.CloseReason.Code);
        Assert.Equal(CloseCause.LocalTransport, pair.ServerSide.Connection.CloseReason!.Cause);
        Assert.Equal(NoApplicationProtocol, pair.ServerSide.Connection.CloseReason.Code);
        Assert.Equal(0, pair.Server.Core.ConnectionCount);
        Assert.Equal(0, pair.Server.Core.HandshakeCount);
    }

    [Fact]
    public void A_client_refuses_a_server_with_another_key_than_it_dialled()
    {
        var pair = new Pair();
        pair.ClientTls = pair.ClientTls with { ExpectedPeerPublicKey = pair.ClientPublicKey };
        pair.Connect();
        pair.RunUntilQuiet();
        Assert.True(pair.ClientSide.Connection.IsPeerMismatch);
        Assert.Equal(CloseCause.LocalTransport, pair.ClientSide.Connection.CloseReason!.Cause);
        Assert.Equal(CloseCause.PeerTransport, pair.ServerSide.Connection.CloseReason!.Cause);
        Assert.InRange(pair.ServerSide.Connection.CloseReason.Code, 0x100UL, 0x1ffUL);
        Assert.False(pair.ServerSide.Has(ConnectionEventKind.Connected));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    public void Any_one_datagram_of_the_handshake_may_be_lost(long number)
    {
        var client = new TransferApplication((StreamDirection.Bidirectional, 5_000)) { StreamsExpected = 1 };
        var server = new TransferApplication((StreamDirection.Unidirectional, 5_000)) { StreamsExpected = 1 };
        var pair = new Pair { ServerApplication = server };
        pair.Network.Intercept = datagram => datagram.Number != number;
        pair.Connect(client);
        pair.RunUntil(() => client.IsComplete && server.IsComplete);
        Assert.Single(pair.Server.Connections);
        Assert.True(pair.Network.Now < new Instant(1_000_000_000_000) + TimeSpan.FromSeconds(3), "One loss costs a probe timeout or two.");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Whole_flights_may_be_lost(int flights)
    {
        var pair = new Pair();
        Instant silentUntil = pair.Network.Now + TimeSpan.FromSeconds(flights);
        pair.Network.Intercept = _ => pair.Network.Now > silentUntil;
        pair.Establish();
    }

    [Fact]
    public void Copies_of_an_Initial_from_several_addresses_make_one_connection()
    {
        var pair = new Pair();
        NetworkAddress other = NetworkAddress.FromIPv4([10, 9, 9, 9], 999);
        pair.Network.Intercept = datagram =>
        {
            if (datagram.Source == Pair.ClientAddress && datagram.StartsWithLongHeader(0))
                pair.Network.Inject(other, Pair.ServerAddress, datagram.Payload);
            return true;
        };
        pair.Establish();
        Assert.Single(pair.Server.Connections);
        Assert.Equal(Pair.ClientAddress, pair.ServerSide.Connection.Address.Remote);
        Assert.True(pair.ServerTrace.Drops[PacketDropReason.UnexpectedAddress] > 0);
    }

    [Fact]
    public void A_client_follows_the_address_that_the_server_answers_from()
    {
        NetworkAddress dialled = NetworkAddress.FromIPv4([10, 7, 7, 7], 7777);
        var pair = new Pair();

        // The dialled address stands for a copy of the first packet that reached the server by another way.
        pair.Network.Intercept = datagram =>
        {
            if (datagram.Destination == dialled)
                pair.Network.Inject(datagram.Source, Pair.ServerAddress, datagram.Payload);
            return datagram.Destination != dialled;
        };
        pair.Client.Connect(dialled, pair.ClientConfiguration, pair.ClientTls, null);
        pair.RunUntil(() => pair.ClientSide.Has(ConnectionEventKind.HandshakeConfirmed));
        Assert.Equal(Pair.ServerAddress, pair.ClientSide.Connection.Address.Remote);
    }

    [Fact]
    public void Afterwards_a_client_that_looks_for_no_way_through_NATs_ignores_other_addresses()
    {
        var pair = new Pair();
        pair.ClientConfiguration = pair.ClientConfiguration with { NatTraversalAddressesMax = 0 };
        pair.Establish();
        pair.ServerSide.Connection.SendDatagram("hello"u8);
        pair.Network.Intercept = datagram =>
        {
            pair.Network.Inject(NetworkAddress.FromIPv4([10, 8, 8, 8], 88), Pair.ClientAddress, datagram.Payload);
            return false;
        };
        pair.Drain();
        pair.RunFor(TimeSpan.FromMilliseconds(50));
        Assert.False(pair.ClientSide.Has(ConnectionEventKind.DatagramReceived));
        Assert.True(pair.ClientTrace.Drops[PacketDropReason.UnexpectedAddress] > 0);
    }

    [Fact]
    public void A_refused_client_hears_of_it()
    {
        var pair = new Pair();
        pair.Server.OnIncoming = _ => null;
        pair.Connect();
        pair.RunUntilQuiet();
        Assert.Equal(CloseCause.PeerTransport, pair.ClientSide.Connection.CloseReason!.Cause);
        Assert.Equal(TransportErrorCode.ConnectionRefused, pair.ClientSide.Connection.CloseReason.Code);
        Assert.Equal(0, pair.Server.Core.HandshakeCount);
    }

    [Fact]
    public void Handshakes_beyond_the_limit_are_refused()
    {
        var pair = new Pair(serverConfiguration: new EndpointConfiguration { HandshakesMax = 2 });
        pair.Network.Intercept = datagram => datagram.Source == Pair.ClientAddress; // nothing gets back, so nothing completes
        pair.Connect();
        pair.Connect();
        pair.RunFor(TimeSpan.FromMilliseconds(20));
        Assert.Equal(2, pair.Server.Core.HandshakeCount);
        pair.Network.Intercept = datagram => datagram.Source == Pair.ClientAddress || datagram.StartsWithLongHeader(0);
        SimulatedConnection third = pair.Connect();
        pair.RunFor(TimeSpan.FromMilliseconds(100));
        Assert.Equal(2, pair.Server.Connections.Count);
        Assert.Equal(TransportErrorCode.ConnectionRefused, third.Connection.CloseReason!.Code);
    }

    [Fact]
    public void A_dial_that_nobody_answers_ends_with_the_idle_timeout()
    {
        var pair = new Pair();
        pair.Network.Intercept = _ => false;
        Instant start = pair.Network.Now;
        pair.Connect();
        pair.RunUntilQuiet();
        Assert.Equal(CloseCause.IdleTimeout, pair.ClientSide.Connection.CloseReason!.Cause);
        Assert.InRange((pair.Network.Now - start).TotalSeconds, 30, 32);
        Assert.InRange(pair.Network.DatagramsSent, 10, 60);
    }

    [Fact]
    public void Damaged_first_packets_make_no_connection()
    {
        var pair = new Pair();
        pair.Network.Delivered += datagram =>
        {
            if (datagram.Destination == Pair.ServerAddress)
                datagram.Payload[600] ^= 1;
        };
        pair.Connect();
        pair.RunUntilQuiet();
        Assert.Empty(pair.Server.Connections);
        Assert.Equal(0, pair.Server.Core.HandshakeCount);
    }
}
