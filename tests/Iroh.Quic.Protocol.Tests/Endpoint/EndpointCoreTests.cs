using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Endpoint;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Tests.Simulation;

namespace Iroh.Quic.Protocol.Tests.Endpoint;

public class EndpointCoreTests
{
    private readonly Pair _pair = new();
    private readonly byte[] _response = new byte[EndpointCore.ResponseLengthMax];
    private byte[] _initial = [];

    public EndpointCoreTests()
    {
        _pair.Network.Intercept = datagram =>
        {
            _initial = datagram.Payload;
            return false;
        };
        _pair.Connect();
    }

    private FourTuple Path { get; } = new(Pair.ServerAddress, Pair.ClientAddress);

    [Fact]
    public void An_attempt_is_decided_once()
    {
        Incoming incoming = Receive(_initial).Incoming!;
        Assert.Equal(1, _pair.Server.Core.HandshakeCount);
        _pair.Server.Core.Ignore(incoming);
        Assert.Equal(0, _pair.Server.Core.HandshakeCount);
        Assert.Throws<InvalidOperationException>(() => _pair.Server.Core.Ignore(incoming));
        Assert.Throws<InvalidOperationException>(() => _pair.Server.Core.Refuse(incoming, _response));
    }

    [Fact]
    public void Copies_of_the_first_packet_wait_with_it()
    {
        Incoming incoming = Receive(_initial).Incoming!;
        for (int i = 0; i < 10; i++)
            Assert.Equal(DatagramDestination.None, Receive(_initial).Destination);
        Assert.Equal(Incoming.DatagramsMax, incoming.Datagrams.Count);
        Connection connection = _pair.Server.Core.Accept(
            _pair.Network.Now, incoming, _pair.ServerConfiguration, _pair.ServerTls, out ConnectionHandle handle);
        Assert.Equal((ulong)Incoming.DatagramsMax, connection.Statistics.DatagramsReceived);
        Assert.Equal(new DatagramRoute(DatagramDestination.Connection, handle), Receive(_initial));
    }

    [Fact]
    public void An_ignored_attempt_may_be_made_again()
    {
        _pair.Server.Core.Ignore(Receive(_initial).Incoming!);
        Assert.Equal(DatagramDestination.Incoming, Receive(_initial).Destination);
    }

    [Fact]
    public void Too_small_a_first_packet_is_dropped()
    {
        Assert.Equal(default, Receive(_initial[..1199]));
        Assert.Equal(default, Receive([]));
        Assert.Equal(default, Receive([0xc0]));
    }

    [Fact]
    public void An_endpoint_that_only_dials_takes_no_connections()
    {
        Assert.Equal(default, _pair.Client.Core.HandleDatagram(_pair.Network.Now, Path, default, _initial, _response));
    }

    [Fact]
    public void A_configuration_out_of_range_is_refused_with_its_name()
    {
        var exception = Assert.Throws<ArgumentOutOfRangeException>(() => _pair.Client.Connect(
            Pair.ServerAddress, _pair.ClientConfiguration with { MtuMax = 100 }, _pair.ClientTls, null));
        Assert.Equal(nameof(ConnectionConfiguration.MtuMax), exception.ParamName);
    }

    private DatagramRoute Receive(byte[] datagram) =>
        _pair.Server.Core.HandleDatagram(_pair.Network.Now, Path, EcnCodepoint.NotEct, datagram, _response);
}
