using Iroh.Cryptography;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Paths;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Tests.Simulation;

/// <summary>How soon data takes another path when the one that carries it goes dark, whatever the two are like.</summary>
public class FailoverTests
{
    private const ulong Seeds = 30;

    /// <summary>More than is sent before and during the second in question.</summary>
    private const long Size = 2_500_000;

    /// <summary>No acknowledgement, keep-alive or challenge of the time is as long, and discovery of the MTU is over.</summary>
    private const int DataLengthMin = 1000;

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(1);

    private static readonly NetworkAddress s_otherAddress = NetworkAddress.FromIPv4([10, 0, 1, 1], 1112);

    [Theory]
    [InlineData(Side.Client)]
    [InlineData(Side.Server)]
    public void Data_takes_another_path_within_a_second_of_the_first_going_dark(Side sender)
    {
        for (ulong seed = 1; seed <= Seeds; seed++)
        {
            TimeSpan stood = RunOne(seed, sender, out string conditions);
            Assert.True(stood <= s_limit, $"Seed {seed}, {sender} sends: data stood still for {stood.TotalMilliseconds:0} ms. {conditions}");
        }
    }

    private static TimeSpan RunOne(ulong seed, Side sender, out string told)
    {
        var random = new SeededRandomSource(seed);
        LinkConditions first = Conditions(random), second = Conditions(random);
        told = $"First path {first.Latency.TotalMilliseconds} ms, {first.BytesPerSecond} bytes/s, the other {second.Latency.TotalMilliseconds} ms.";
        var pair = new Pair(seed, first);
        pair.Client.Addresses.Add(s_otherAddress);
        pair.Network.SetConditions(s_otherAddress, Pair.ServerAddress, second);
        (StreamDirection, long)[] streams = [(StreamDirection.Unidirectional, Size)];
        var client = new TransferApplication(sender == Side.Client ? streams : []) { StreamsExpected = sender == Side.Server ? 1 : 0 };
        var server = new TransferApplication(sender == Side.Server ? streams : []) { StreamsExpected = sender == Side.Client ? 1 : 0 };
        pair.ServerApplication = server;
        pair.Establish(client);
        TransferApplication receiver = sender == Side.Client ? server : client;
        Assert.Equal(PathOpenResult.Opened, pair.ClientSide.Connection.TryOpenPath(pair.Network.Now, new FourTuple(s_otherAddress, Pair.ServerAddress), PathStatus.Backup, out _));
        pair.Drain();
        pair.RunUntil(() => pair.ClientSide.Has(ConnectionEventKind.PathOpened) && pair.ServerSide.Has(ConnectionEventKind.PathOpened));
        pair.RunFor(TimeSpan.FromMilliseconds(2000 + random.NextBelow(500)));

        bool moved = false;
        NetworkAddress from = sender == Side.Client ? s_otherAddress : Pair.ServerAddress, to = sender == Side.Client ? Pair.ServerAddress : s_otherAddress;
        pair.Network.Delivered += datagram => moved |= datagram.Source == from && datagram.Destination == to && datagram.Payload.Length >= DataLengthMin;
        pair.Network.SetConditions(Pair.ClientAddress, Pair.ServerAddress, first with { LossRate = 1 });
        Instant dark = pair.Network.Now;
        pair.RunUntil(() => moved);
        TimeSpan stood = pair.Network.Now - dark - second.Latency;

        // And it goes on there to the end.
        pair.RunUntil(() => receiver.IsComplete);
        return stood;
    }

    // Round trips of up to 240 ms with what waits in queues; where they are longer, two probe timeouts are more than a second.
    private static LinkConditions Conditions(SeededRandomSource random) => new()
    {
        Latency = TimeSpan.FromMilliseconds(1 + random.NextBelow(60)),
        Jitter = TimeSpan.FromMilliseconds(random.NextBelow(10)),
        BytesPerSecond = 200_000 + random.NextBelow(600_000),
    };
}
