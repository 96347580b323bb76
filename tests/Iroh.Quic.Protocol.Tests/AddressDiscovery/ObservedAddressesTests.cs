using Iroh.Quic.Protocol.AddressDiscovery;
using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Datagrams;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Tests.AddressDiscovery;

public class ObservedAddressesTests
{
    private static readonly NetworkAddress First = NetworkAddress.FromIPv4([192, 0, 2, 1], 1000);
    private static readonly NetworkAddress Second = NetworkAddress.FromIPv4([192, 0, 2, 1], 2000);

    private readonly ConnectionEvents _events = new();
    private readonly PathObservations _path = new();
    private readonly PathObservations _otherPath = new();

    [Theory]
    [InlineData(AddressReports.Provide, AddressReports.Receive, true, false)]
    [InlineData(AddressReports.Receive, AddressReports.Provide, false, true)]
    [InlineData(AddressReports.Both, AddressReports.Both, true, true)]
    [InlineData(AddressReports.Both, AddressReports.Provide, false, true)]
    [InlineData(AddressReports.Provide, AddressReports.Provide, false, false)]
    [InlineData(AddressReports.None, AddressReports.Both, false, false)]
    [InlineData(AddressReports.Both, AddressReports.None, false, false)]
    public void Reports_flow_from_the_end_that_provides_to_the_end_that_receives(
        AddressReports local, AddressReports peer, bool sends, bool accepts)
    {
        ObservedAddresses room = Create(local, peer);
        Assert.Equal(sends, room.IsReportOwed(_path, First));
        TransportError? error = room.OnReport(PathId.Zero, _path, new ObservedAddressFrame(0, First));
        Assert.Equal(accepts ? null : TransportErrorCode.ProtocolViolation, error?.Code);
    }

    [Fact]
    public void Nothing_is_sent_before_the_peer_has_told_its_part()
    {
        var room = new ObservedAddresses(AddressReports.Both, _events);
        Assert.False(room.IsReportOwed(_path, First));
    }

    [Fact]
    public void An_address_is_told_once_a_path_and_again_when_it_changes()
    {
        ObservedAddresses room = Create(AddressReports.Provide, AddressReports.Receive);
        Assert.Equal(new ObservedAddressFrame(0, First), Send(room, _path, First));
        Assert.False(room.IsReportOwed(_path, First));
        Assert.Equal(new ObservedAddressFrame(1, First), Send(room, _otherPath, First)); // one counter for all paths
        Assert.Equal(new ObservedAddressFrame(2, Second), Send(room, _path, Second));
        Assert.False(room.IsReportOwed(_path, Second));
    }

    [Fact]
    public void A_lost_report_is_repeated_with_a_new_number_unless_a_later_one_has_left()
    {
        ObservedAddresses room = Create(AddressReports.Provide, AddressReports.Receive);
        Send(room, _path, First);
        _path.OnReportLost(0);
        Assert.Equal(new ObservedAddressFrame(1, First), Send(room, _path, First));
        Send(room, _path, Second);
        _path.OnReportLost(1);
        Assert.False(room.IsReportOwed(_path, Second));
    }

    [Fact]
    public void A_path_over_a_relay_has_no_address_to_tell()
    {
        ObservedAddresses room = Create(AddressReports.Both, AddressReports.Both);
        Assert.False(room.IsReportOwed(_path, NetworkAddress.Virtual(3)));
        Assert.False(room.IsReportOwed(_path, default));
    }

    [Fact]
    public void Only_a_later_report_of_another_address_is_news()
    {
        ObservedAddresses room = Create(AddressReports.Receive, AddressReports.Provide);
        Assert.Equal([First], Receive(room, new ObservedAddressFrame(5, First)));
        Assert.Empty(Receive(room, new ObservedAddressFrame(6, First)));
        Assert.Empty(Receive(room, new ObservedAddressFrame(6, Second)));
        Assert.Empty(Receive(room, new ObservedAddressFrame(3, Second)));
        Assert.Equal([Second], Receive(room, new ObservedAddressFrame(7, Second)));
        Assert.Equal(Second, _path.Received);
        Assert.Equal(default, _otherPath.Received);
    }

    [Fact]
    public void A_lie_that_nobody_could_send_to_is_dropped()
    {
        ObservedAddresses room = Create(AddressReports.Receive, AddressReports.Provide);
        Assert.Empty(Receive(room, new ObservedAddressFrame(0, NetworkAddress.FromIPv4([0, 0, 0, 0], 80))));
        Assert.Empty(Receive(room, new ObservedAddressFrame(1, NetworkAddress.FromIPv4([239, 1, 2, 3], 80))));
        Assert.Empty(Receive(room, new ObservedAddressFrame(2, NetworkAddress.FromIPv6([0xff, 2, .. new byte[14]], 80))));
        Assert.Empty(Receive(room, new ObservedAddressFrame(3, NetworkAddress.FromIPv4([192, 0, 2, 1], 0))));
        Assert.Equal(default, _path.Received);
        Assert.Equal([First], Receive(room, new ObservedAddressFrame(4, First)));
    }

    private ObservedAddresses Create(AddressReports local, AddressReports peer)
    {
        var room = new ObservedAddresses(local, _events);
        room.OnPeerParameters(peer);
        return room;
    }

    private static ObservedAddressFrame Send(ObservedAddresses room, PathObservations path, NetworkAddress remote)
    {
        Assert.True(room.TryGetReport(path, remote, out ObservedAddressFrame frame));
        room.OnReportSent(path, frame);
        return frame;
    }

    private List<NetworkAddress> Receive(ObservedAddresses room, ObservedAddressFrame frame)
    {
        Assert.Null(room.OnReport(new PathId(4), _path, frame));
        var addresses = new List<NetworkAddress>();
        while (_events.TryTake(new DatagramQueue(0, 0, 0), isClosed: false, out ConnectionEvent e))
        {
            Assert.Equal(ConnectionEventKind.ObservedAddress, e.Kind);
            Assert.Equal(new PathId(4), e.PathId);
            addresses.Add(e.Address);
        }

        return addresses;
    }
}
