using System.Net;
using System.Net.Sockets;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Sockets;

namespace Iroh.Quic.Tests.Sockets;

/// <summary>What every <see cref="UdpSocket"/> must do; the derived classes say which one and what it can do on top.</summary>
public abstract class UdpSocketSuite
{
    private static readonly TimeSpan LongTime = TimeSpan.FromSeconds(10);

    internal abstract UdpSocket Bind(IPEndPoint local);

    protected abstract bool CarriesEcn { get; }

    protected abstract bool KnowsLocalAddress { get; }

    public static TheoryData<string> Loopbacks => new("127.0.0.1", "::1");

    [Theory]
    [MemberData(nameof(Loopbacks))]
    public void A_datagram_arrives_with_the_senders_address(string loopback)
    {
        using UdpSocket a = Bind(new IPEndPoint(IPAddress.Parse(loopback), 0));
        using UdpSocket b = Bind(new IPEndPoint(IPAddress.Parse(loopback), 0));
        a.Send(PathTo(b), EcnCodepoint.NotEct, "hello"u8, 5);

        List<Arrival> arrivals = ReceiveDatagrams(b, 1);

        Assert.Equal("hello"u8.ToArray(), arrivals[0].Payload);
        Assert.Equal(NetworkAddress.From(a.LocalEndPoint), arrivals[0].Path.Remote);
        Assert.Equal(NetworkAddress.From(b.LocalEndPoint), arrivals[0].Path.Local);
    }

    [Theory]
    [MemberData(nameof(Loopbacks))]
    public void A_batch_arrives_as_the_datagrams_it_was_made_of(string loopback)
    {
        using UdpSocket a = Bind(new IPEndPoint(IPAddress.Parse(loopback), 0));
        using UdpSocket b = Bind(new IPEndPoint(IPAddress.Parse(loopback), 0));
        byte[] batch = new byte[(9 * 1200) + 77];
        new Random(1).NextBytes(batch);
        a.Send(PathTo(b), EcnCodepoint.NotEct, batch, 1200);

        List<Arrival> arrivals = ReceiveDatagrams(b, 10);

        Assert.Equal([.. Enumerable.Repeat(1200, 9), 77], arrivals.Select(x => x.Payload.Length));
        Assert.Equal(batch, arrivals.SelectMany(x => x.Payload));
        Assert.Equal(0, a.SendsDropped);
    }

    [Theory]
    [MemberData(nameof(Loopbacks))]
    public void Ecn_bits_arrive_where_the_system_carries_them(string loopback)
    {
        using UdpSocket a = Bind(new IPEndPoint(IPAddress.Parse(loopback), 0));
        using UdpSocket b = Bind(new IPEndPoint(IPAddress.Parse(loopback), 0));
        EcnCodepoint[] sent = [EcnCodepoint.Ect0, EcnCodepoint.Ect1, EcnCodepoint.CongestionExperienced, EcnCodepoint.NotEct];
        foreach (EcnCodepoint ecn in sent)
            a.Send(PathTo(b), ecn, "x"u8, 1);

        List<Arrival> arrivals = ReceiveDatagrams(b, sent.Length);

        Assert.Equal(CarriesEcn ? sent : [default, default, default, default], arrivals.Select(x => x.Ecn));
    }

    [Theory]
    [InlineData("0.0.0.0", "127.0.0.1", "127.0.0.5")]
    [InlineData("::", "::1", "::1")]
    public void A_socket_bound_to_any_address_answers_from_the_one_that_was_asked(string any, string asker, string asked)
    {
        using UdpSocket server = Bind(new IPEndPoint(IPAddress.Parse(any), 0));
        using UdpSocket client = Bind(new IPEndPoint(IPAddress.Parse(asker), 0));
        var target = NetworkAddress.From(new IPEndPoint(IPAddress.Parse(asked), server.LocalEndPoint.Port));
        client.Send(new FourTuple(default, target), EcnCodepoint.Ect0, "question"u8, 8);

        Arrival question = ReceiveDatagrams(server, 1)[0];
        server.Send(question.Path, EcnCodepoint.Ect0, "answer"u8, 6);
        Arrival answer = ReceiveDatagrams(client, 1)[0];

        Assert.Equal(KnowsLocalAddress ? target : default, question.Path.Local);
        if (KnowsLocalAddress)
            Assert.Equal(target, answer.Path.Remote);
        Assert.Equal("answer"u8.ToArray(), answer.Payload);
    }

    [Fact]
    public void Sends_to_a_closed_port_disturb_nobody()
    {
        using UdpSocket a = Bind(new IPEndPoint(IPAddress.Loopback, 0));
        using UdpSocket b = Bind(new IPEndPoint(IPAddress.Loopback, 0));
        NetworkAddress closed;
        using (UdpSocket gone = Bind(new IPEndPoint(IPAddress.Loopback, 0)))
            closed = NetworkAddress.From(gone.LocalEndPoint);

        for (int i = 0; i < 3; i++)
            a.Send(new FourTuple(default, closed), EcnCodepoint.NotEct, "anyone?"u8, 7);
        a.Send(PathTo(b), EcnCodepoint.NotEct, "hello"u8, 5);

        Assert.Equal("hello"u8.ToArray(), ReceiveDatagrams(b, 1)[0].Payload);
        Assert.Equal(0, a.Receive());
    }

    [Fact]
    public void A_datagram_that_is_too_large_is_dropped_and_counted()
    {
        using UdpSocket a = Bind(new IPEndPoint(IPAddress.Loopback, 0));
        using UdpSocket b = Bind(new IPEndPoint(IPAddress.Loopback, 0));
        a.Send(PathTo(b), EcnCodepoint.NotEct, new byte[65535], 65535);
        a.Send(PathTo(b), EcnCodepoint.NotEct, "hello"u8, 5);

        Assert.Equal("hello"u8.ToArray(), ReceiveDatagrams(b, 1)[0].Payload);
        Assert.Equal(1, a.SendsDropped);
    }

    [Fact]
    public void A_send_after_disposal_is_dropped()
    {
        UdpSocket a = Bind(new IPEndPoint(IPAddress.Loopback, 0));
        using UdpSocket b = Bind(new IPEndPoint(IPAddress.Loopback, 0));
        a.Dispose();
        a.Send(PathTo(b), EcnCodepoint.NotEct, "hello"u8, 5);
        a.Wake();

        Assert.Equal(1, a.SendsDropped);
    }

    [Fact]
    public void Wake_before_a_wait_ends_that_wait()
    {
        using UdpSocket socket = Bind(new IPEndPoint(IPAddress.Loopback, 0));
        for (int i = 0; i < 3; i++)
        {
            socket.Wake();
            socket.Wake();
            socket.Wait(Timeout.InfiniteTimeSpan);
        }
    }

    [Fact]
    public void Wake_from_another_thread_ends_a_wait()
    {
        using UdpSocket socket = Bind(new IPEndPoint(IPAddress.Loopback, 0));
        using var go = new Barrier(2);
        var waker = new Thread(() =>
        {
            for (int i = 0; i < 200; i++)
            {
                go.SignalAndWait();
                socket.Wake();
            }
        });
        waker.Start();
        for (int i = 0; i < 200; i++)
        {
            go.SignalAndWait();
            socket.Wait(Timeout.InfiniteTimeSpan);
        }

        Assert.True(waker.Join(LongTime));
    }

    [Fact]
    public void A_wait_ends_when_its_time_is_over()
    {
        using UdpSocket socket = Bind(new IPEndPoint(IPAddress.Loopback, 0));
        long start = TimeProvider.System.GetTimestamp();
        socket.Wait(TimeSpan.FromMilliseconds(20));
        Assert.InRange(TimeProvider.System.GetElapsedTime(start), TimeSpan.FromMilliseconds(15), LongTime);
    }

    [Theory]
    [MemberData(nameof(Loopbacks))]
    public void A_taken_port_is_refused_with_its_name_and_advice(string loopback)
    {
        using UdpSocket first = Bind(new IPEndPoint(IPAddress.Parse(loopback), 0));

        var refused = Assert.Throws<QuicBindException>(() => Bind(first.LocalEndPoint));

        Assert.Equal(SocketError.AddressAlreadyInUse, refused.Error);
        Assert.True(refused.IsTransient);
        Assert.Equal(first.LocalEndPoint, refused.Address);
        Assert.StartsWith($"port {first.LocalEndPoint.Port}/udp on {loopback} is already in use by another program: choose", refused.Message);
    }

    [Fact]
    public void An_address_of_another_machine_is_refused()
    {
        var refused = Assert.Throws<QuicBindException>(() => Bind(new IPEndPoint(IPAddress.Parse("198.51.100.7"), 0)));
        Assert.Equal(SocketError.AddressNotAvailable, refused.Error);
    }

    [Fact]
    public void Both_families_may_have_the_same_port()
    {
        using UdpSocket v4 = Bind(new IPEndPoint(IPAddress.Any, 0));
        using UdpSocket v6 = Bind(new IPEndPoint(IPAddress.IPv6Any, v4.LocalEndPoint.Port));
        Assert.Equal(v4.LocalEndPoint.Port, v6.LocalEndPoint.Port);
    }

    internal static FourTuple PathTo(UdpSocket socket) => new(default, NetworkAddress.From(socket.LocalEndPoint));

    internal static List<Arrival> ReceiveDatagrams(UdpSocket socket, int count)
    {
        var arrivals = new List<Arrival>();
        long start = TimeProvider.System.GetTimestamp();
        while (arrivals.Count < count)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(start) < LongTime, $"{arrivals.Count} of {count} datagrams arrived");
            int received = socket.Receive();
            for (int i = 0; i < received; i++)
            {
                ReceivedDatagrams item = socket.Received(i);
                for (int at = 0; at < item.Payload.Length; at += item.SegmentSize)
                {
                    Span<byte> datagram = item.Payload.Slice(at, Math.Min(item.SegmentSize, item.Payload.Length - at));
                    arrivals.Add(new Arrival(item.Path, item.Ecn, datagram.ToArray()));
                }
            }

            if (received == 0)
                socket.Wait(TimeSpan.FromSeconds(1));
        }

        Assert.Equal(count, arrivals.Count);
        return arrivals;
    }

    internal sealed record Arrival(FourTuple Path, EcnCodepoint Ecn, byte[] Payload);
}

/// <summary>Linux's own calls, batches joined by the kernel.</summary>
public sealed class LinuxUdpSocketTests : UdpSocketSuite
{
    protected override bool CarriesEcn => true;

    protected override bool KnowsLocalAddress => true;

    internal override UdpSocket Bind(IPEndPoint local) => new LinuxUdpSocket(local);

    [Fact]
    public void The_kernel_splits_and_joins_a_full_batch()
    {
        using UdpSocket a = Bind(new IPEndPoint(IPAddress.Loopback, 0));
        using UdpSocket b = Bind(new IPEndPoint(IPAddress.Loopback, 0));
        a.Send(PathTo(b), EcnCodepoint.Ect0, new byte[45 * 1452], 1452);
        b.Wait(TimeSpan.FromSeconds(10));

        Assert.Equal(1, b.Receive());
        ReceivedDatagrams item = b.Received(0);
        Assert.Equal((45 * 1452, 1452), (item.Payload.Length, item.SegmentSize));
        Assert.Equal(64, a.SegmentsMax);
    }

    [Fact]
    public void A_batch_whose_segments_are_too_large_leaves_splitting_in_use()
    {
        // Loopback has an MTU of 65,536, so "too large" is a batch beyond what an IP packet holds.
        using UdpSocket a = Bind(new IPEndPoint(IPAddress.Loopback, 0));
        using UdpSocket b = Bind(new IPEndPoint(IPAddress.Loopback, 0));
        a.Send(PathTo(b), EcnCodepoint.NotEct, new byte[70_000], 65_535);

        Assert.Equal(4465, ReceiveDatagrams(b, 1)[0].Payload.Length);
        Assert.Equal(1, a.SendsDropped);
        Assert.Equal(64, a.SegmentsMax);
    }
}

/// <summary>Linux's own calls on a kernel without UDP_SEGMENT and UDP_GRO.</summary>
public sealed class LinuxUdpSocketWithoutJoiningTests : UdpSocketSuite
{
    protected override bool CarriesEcn => true;

    protected override bool KnowsLocalAddress => true;

    internal override UdpSocket Bind(IPEndPoint local) => new LinuxUdpSocket(local, joinDatagrams: false);
}

/// <summary>The class library's socket, for other systems.</summary>
public sealed class PortableUdpSocketTests : UdpSocketSuite
{
    protected override bool CarriesEcn => false;

    protected override bool KnowsLocalAddress => false;

    internal override UdpSocket Bind(IPEndPoint local) => new PortableUdpSocket(local);
}
