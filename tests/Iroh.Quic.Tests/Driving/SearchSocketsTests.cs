using System.Net;
using System.Net.Sockets;
using Blixard.Testing.Basics;
using Iroh.Quic.Driving;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Tests.Driving;

public sealed class SearchSocketsTests
{
    private const int Many = 64;

    [Fact]
    public void A_search_that_ended_before_its_sockets_were_opened_opens_none()
    {
        using var sockets = new SearchSockets(new Receiver());

        sockets.Keep([NetworkAddress.From(new IPEndPoint(IPAddress.Any, 1))]);

        Assert.Empty(sockets.Open(Many, AddressFamily.InterNetwork));
        Assert.Equal(0, sockets.Count);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_search_that_ends_while_its_sockets_are_opened_leaves_none()
    {
        for (int round = 0; round < 20; round++)
        {
            using var sockets = new SearchSockets(new Receiver());
            Task<NetworkAddress[]> opening = Task.Run(() => sockets.Open(Many, AddressFamily.InterNetwork), TestContext.Current.CancellationToken);
            // In each round somewhere else in the middle.
            SpinWait.SpinUntil(() => sockets.Count > round || opening.IsCompleted);
            sockets.Keep([]);

            NetworkAddress[] opened = await opening;

            Assert.Equal(0, sockets.Count);
            // What was opened before the end may be told, as long as all were.
            Assert.True(opened.Length is 0 or Many, $"{opened.Length} sockets are told of in round {round}");
        }
    }

    [Fact]
    public void The_sockets_that_are_used_stay_and_the_others_are_closed()
    {
        using var sockets = new SearchSockets(new Receiver());
        NetworkAddress[] opened = sockets.Open(8, AddressFamily.InterNetwork);
        Assert.Equal(8, opened.Distinct().Count());

        sockets.Keep([opened[3]]);

        Assert.Equal(1, sockets.Count);
        sockets.Dispose();
        Assert.Equal(0, sockets.Count);
    }

    private sealed class Receiver : ISearchReceiver
    {
        public void HandleDatagrams(FourTuple path, EcnCodepoint ecn, Span<byte> payload, int segmentSize)
        {
        }

        public void Flush()
        {
        }
    }
}
