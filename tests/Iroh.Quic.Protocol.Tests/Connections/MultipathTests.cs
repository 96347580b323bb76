using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Paths;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Tests.Simulation;

namespace Iroh.Quic.Protocol.Tests.Connections;

public class MultipathTests
{
    private static readonly PathId Direct = PathId.Zero;

    [Fact]
    public void Both_ends_have_five_connection_ids_of_the_other_for_every_path_before_any_is_opened()
    {
        var pair = new MultipathPair();
        foreach (Connection end in new[] { pair.Client, pair.Server })
        {
            Assert.True(end.IsMultipath);
            Assert.Equal(1, end.PathCount);
            Assert.Equal(8, end.Paths.Entries.Count);
            Assert.All(end.Paths.Entries, e => Assert.Equal((5, 4), (e.LocalIds.Count, e.RemoteIds.SpareCount)));
        }
    }

    [Theory]
    [InlineData(1, 8)]
    [InlineData(8, 1)]
    public void With_an_end_that_knows_one_path_only_there_is_one(int clientMax, int serverMax)
    {
        var pair = new MultipathPair(p =>
        {
            p.ClientConfiguration = p.ClientConfiguration with { ConcurrentPathsMax = clientMax };
            p.ServerConfiguration = p.ServerConfiguration with { ConcurrentPathsMax = serverMax };
        });
        Assert.False(pair.Client.IsMultipath || pair.Server.IsMultipath);
        var relay = new FourTuple(default, MultipathPair.RelayAtClient);
        Assert.Equal(PathOpenResult.NotNegotiated, pair.Client.TryOpenPath(pair.Now, relay, PathStatus.Available, out _));
        pair.Transfer(100_000);
    }

    [Fact]
    public void The_smaller_of_both_limits_counts()
    {
        var pair = new MultipathPair(p => p.ServerConfiguration = p.ServerConfiguration with { ConcurrentPathsMax = 3 });
        pair.Open(new FourTuple(default, MultipathPair.ServerAddress(0)));
        pair.Open(new FourTuple(default, MultipathPair.ServerAddress(1)));
        var third = new FourTuple(default, MultipathPair.ServerAddress(2));
        Assert.Equal(PathOpenResult.NoPathId, pair.Client.TryOpenPath(pair.Now, third, PathStatus.Backup, out _));
        Assert.Equal(3, pair.Server.PathCount);

        // One that is closed makes room for another, once both ends know of it.
        Assert.True(pair.Client.ClosePath(pair.Now, new PathId(1), PathErrorCode.ApplicationAbandon));
        pair.Pair.Drain();
        pair.Pair.RunUntil(() => pair.Pair.ClientSide.Has(ConnectionEventKind.PathsAvailable));
        Assert.Equal(new PathId(3), pair.Open(third));
    }

    [Fact]
    public void A_server_opens_no_path()
    {
        var pair = new MultipathPair();
        var relay = new FourTuple(default, MultipathPair.RelayAtServer);
        Assert.Equal(PathOpenResult.NotNegotiated, pair.Server.TryOpenPath(pair.Now, relay, PathStatus.Available, out _));
    }

    [Fact]
    public void A_path_is_validated_by_both_ends_and_the_same_is_not_opened_twice()
    {
        var pair = new MultipathPair();
        PathId id = pair.OpenRelay();
        Assert.Equal(new PathId(1), id);
        Assert.Equal(MultipathPair.RelayAtClient, MultipathPair.Get(pair.Client, id).Address.Remote);
        Assert.Equal(MultipathPair.RelayAtServer, MultipathPair.Get(pair.Server, id).Address.Remote);
        Assert.True(MultipathPair.Get(pair.Client, id).IsValidated && MultipathPair.Get(pair.Server, id).IsValidated);
        var relay = new FourTuple(default, MultipathPair.RelayAtClient);
        Assert.Equal(PathOpenResult.AlreadyOpen, pair.Client.TryOpenPath(pair.Now, relay, PathStatus.Available, out PathId known));
        Assert.Equal(id, known);
        var paths = new PathSnapshot[4];
        Assert.Equal(2, pair.Server.CopyPaths(paths));
        Assert.Equal([Direct, id], paths[..2].Select(p => p.Id));
    }

    [Fact]
    public void A_path_whose_first_challenge_is_lost_is_opened_all_the_same()
    {
        var pair = new MultipathPair { IsRelayDark = true };
        pair.Client.TryOpenPath(pair.Now, new FourTuple(default, MultipathPair.RelayAtClient), PathStatus.Backup, out PathId id);
        pair.Pair.Drain();
        pair.IsRelayDark = false;
        pair.Pair.RunUntil(() => MultipathPair.Has(pair.Pair.ServerSide, ConnectionEventKind.PathOpened, id));
    }

    [Fact]
    public void A_path_without_an_answer_is_given_up_after_three_probe_timeouts()
    {
        var pair = new MultipathPair();
        Instant start = pair.Now;
        pair.Client.TryOpenPath(pair.Now, new FourTuple(default, MultipathPair.Nobody), PathStatus.Available, out PathId id);
        pair.Pair.Drain();
        pair.Pair.RunUntil(() => MultipathPair.Has(pair.Pair.ClientSide, ConnectionEventKind.PathClosed, id));
        Assert.InRange(pair.Now - start, TimeSpan.FromSeconds(2.9), TimeSpan.FromSeconds(3.2));
        Assert.Equal(PathErrorCode.UnstableOrPoor, pair.Pair.ClientSide.Events.Find(e => e.Kind == ConnectionEventKind.PathClosed).Code);

        // The server had never heard of the path, and makes room for another all the same.
        pair.Pair.RunFor(TimeSpan.FromSeconds(10));
        Assert.Equal(8U, pair.Client.PathIds.Max);
        Assert.Equal(8U, pair.Server.PathIds.Max);
        pair.Transfer(100_000);
    }

    [Fact]
    public void Data_goes_where_the_own_status_says()
    {
        var pair = new MultipathPair();
        PathId relay = pair.OpenRelay();
        pair.Pair.RunFor(TimeSpan.FromSeconds(2));
        ulong before = MultipathPair.Get(pair.Client, relay).BytesSent;
        pair.Transfer(500_000);
        Assert.InRange(MultipathPair.Get(pair.Client, relay).BytesSent - before, 0UL, 5_000UL);

        pair.Client.SetPathStatus(pair.Now, relay, PathStatus.Available);
        pair.Client.SetPathStatus(pair.Now, Direct, PathStatus.Backup);
        ulong direct = MultipathPair.Get(pair.Client, Direct).BytesSent;
        pair.Transfer(500_000);
        Assert.InRange(MultipathPair.Get(pair.Client, relay).BytesSent - before, 500_000UL, 700_000UL);
        Assert.InRange(MultipathPair.Get(pair.Client, Direct).BytesSent - direct, 0UL, 5_000UL);
        Assert.True(MultipathPair.Has(pair.Pair.ServerSide, ConnectionEventKind.PeerPathStatus, relay));
        Assert.Equal(PathStatus.Available, MultipathPair.Get(pair.Server, relay).PeerStatus);
        Assert.Equal(PathStatus.Backup, MultipathPair.Get(pair.Server, Direct).PeerStatus);

        // The server goes on as it wants to.
        Assert.True(MultipathPair.Get(pair.Server, Direct).CarriesData);
        Assert.False(MultipathPair.Get(pair.Server, relay).CarriesData);
    }

    [Fact]
    public void Among_backups_the_one_with_the_shortest_round_trip_carries_data()
    {
        var slow = new LinkConditions { Latency = TimeSpan.FromMilliseconds(80) };
        var pair = new MultipathPair();
        pair.Pair.Network.SetConditions(Pair.ClientAddress, Pair.ServerAddress, slow);
        pair.Client.SetPathStatus(pair.Now, Direct, PathStatus.Backup);
        PathId other = pair.Open(new FourTuple(default, MultipathPair.ServerAddress(0)));
        pair.Transfer(100_000);
        pair.Transfer(100_000);
        Assert.True(MultipathPair.Get(pair.Client, other).CarriesData);
        Assert.False(MultipathPair.Get(pair.Client, Direct).CarriesData);
    }

    [Fact]
    public void A_closed_path_is_answered_forgotten_and_replaced_by_another_id()
    {
        var pair = new MultipathPair();
        for (uint i = 1; i <= 30; i++)
        {
            PathId id = pair.OpenRelay();
            Assert.Equal(new PathId(i), id);
            pair.Transfer(5_000);
            Assert.True(pair.Client.ClosePath(pair.Now, id, 77));
            pair.Pair.Drain();
            pair.Pair.RunUntil(() => MultipathPair.Has(pair.Pair.ServerSide, ConnectionEventKind.PathClosed, id));
            Assert.Equal(77UL, pair.Pair.ServerSide.Events.Find(e => e.Kind == ConnectionEventKind.PathClosed && e.PathId == id).Code);
            pair.Pair.RunFor(TimeSpan.FromMilliseconds(200));
            Assert.False(pair.Client.TryGetPath(id, out _));
        }

        pair.Pair.RunFor(TimeSpan.FromSeconds(10));
        Assert.Equal(8, pair.Client.Paths.Entries.Count);
        Assert.Equal(8, pair.Server.Paths.Entries.Count);
        pair.Transfer(100_000);
    }

    [Fact]
    public void The_last_path_cannot_be_closed()
    {
        var pair = new MultipathPair();
        Assert.False(pair.Client.ClosePath(pair.Now, Direct, 0));
        PathId relay = pair.OpenRelay();
        Assert.True(pair.Server.ClosePath(pair.Now, Direct, 0));
        pair.Pair.Drain();
        pair.Pair.RunUntil(() => MultipathPair.Has(pair.Pair.ClientSide, ConnectionEventKind.PathClosed, Direct));
        Assert.False(pair.Server.ClosePath(pair.Now, relay, 0));
        Assert.False(pair.Client.ClosePath(pair.Now, relay, 0));
        pair.Transfer(200_000);
        pair.Pair.RunFor(TimeSpan.FromSeconds(20));
        Assert.Equal(new PathId(1), pair.Server.Paths.First.Id);
        pair.Transfer(200_000);
    }

    [Fact]
    public void Closing_the_path_that_carries_data_loses_none()
    {
        var pair = new MultipathPair(conditions: new LinkConditions { BytesPerSecond = 1_000_000 });
        pair.OpenRelay();
        Assert.True(pair.Client.TryOpenStream(StreamDirection.Unidirectional, out StreamId id));
        Assert.Equal(300_000, pair.Client.Write(id, new byte[300_000]).Accepted);
        pair.Client.Finish(id);
        pair.Pair.Drain();
        pair.Pair.RunFor(TimeSpan.FromMilliseconds(50));
        Assert.True(pair.Client.ClosePath(pair.Now, Direct, 0));
        pair.Pair.Drain();
        Assert.True(pair.Server.TryAcceptStream(StreamDirection.Unidirectional, out StreamId accepted));
        byte[] buffer = new byte[400_000];
        int read = 0;
        pair.Pair.RunUntil(() => (read += pair.Server.Read(accepted, buffer).Count) == 300_000);
    }

    [Fact]
    public void An_idle_path_is_given_up_while_there_is_another()
    {
        var pair = new MultipathPair();
        PathId relay = pair.OpenRelay();
        pair.IsDirectDark = true;
        pair.Pair.RunFor(TimeSpan.FromSeconds(21));
        Assert.True(MultipathPair.Has(pair.Pair.ClientSide, ConnectionEventKind.PathClosed, Direct));
        Assert.True(MultipathPair.Has(pair.Pair.ServerSide, ConnectionEventKind.PathClosed, Direct));
        pair.Transfer(100_000);
        pair.IsRelayDark = true;
        pair.Pair.RunFor(TimeSpan.FromSeconds(29));
        Assert.Equal(1, pair.Client.PathCount);
        Assert.False(MultipathPair.Has(pair.Pair.ClientSide, ConnectionEventKind.PathClosed, relay));
        pair.Pair.RunFor(TimeSpan.FromSeconds(10));
        Assert.Equal(CloseCause.IdleTimeout, pair.Client.CloseReason?.Cause);
    }

    [Fact]
    public void Paths_that_nobody_uses_are_kept_alive()
    {
        var pair = new MultipathPair();
        pair.OpenRelay();
        pair.Pair.RunFor(TimeSpan.FromMinutes(2));
        Assert.Equal((2, 2), (pair.Client.PathCount, pair.Server.PathCount));
    }

    [Fact]
    public void When_a_path_goes_dark_data_takes_another_within_a_second_and_comes_back_after()
    {
        var pair = new MultipathPair(conditions: new LinkConditions { Latency = TimeSpan.FromMilliseconds(40) });
        PathId relay = pair.OpenRelay();
        pair.Transfer(100_000);
        pair.IsDirectDark = true;
        TimeSpan time = pair.Transfer(20_000);
        Assert.InRange(time, TimeSpan.Zero, TimeSpan.FromSeconds(1));
        Assert.True(MultipathPair.Has(pair.Pair.ClientSide, ConnectionEventKind.PathSilent, Direct));
        Assert.True(MultipathPair.Get(pair.Client, Direct).IsSilent);
        Assert.True(MultipathPair.Get(pair.Client, relay).CarriesData);
        pair.Transfer(100_000);

        pair.IsDirectDark = false;
        pair.Pair.RunUntil(() => MultipathPair.Has(pair.Pair.ClientSide, ConnectionEventKind.PathRecovered, Direct));
        Assert.True(MultipathPair.Get(pair.Client, Direct).CarriesData);
        Assert.False(MultipathPair.Get(pair.Client, relay).CarriesData);
        pair.Transfer(100_000);
    }

    [Fact]
    public void An_application_that_trickles_is_moved_as_soon()
    {
        var pair = new MultipathPair(conditions: new LinkConditions { Latency = TimeSpan.FromMilliseconds(40) });
        pair.OpenRelay();
        pair.Transfer(100_000);
        Assert.True(pair.Client.TryOpenStream(StreamDirection.Unidirectional, out StreamId id));
        pair.IsDirectDark = true;
        Instant start = pair.Now;
        while (!pair.Pair.ClientSide.Has(ConnectionEventKind.PathSilent))
        {
            pair.Client.Write(id, new byte[10]);
            pair.Pair.Drain();
            pair.Pair.RunFor(TimeSpan.FromMilliseconds(20));
            Assert.InRange(pair.Now - start, TimeSpan.Zero, TimeSpan.FromSeconds(1));
        }
    }

    [Fact]
    public void Keep_alives_alone_make_no_path_silent()
    {
        var pair = new MultipathPair();
        pair.OpenRelay();
        pair.IsDirectDark = true;
        pair.Pair.RunFor(TimeSpan.FromSeconds(12));
        Assert.False(pair.Pair.ClientSide.Has(ConnectionEventKind.PathSilent));
        Assert.False(pair.Pair.ServerSide.Has(ConnectionEventKind.PathSilent));
    }

    [Fact]
    public void When_all_paths_are_dark_for_a_while_data_arrives_after()
    {
        var pair = new MultipathPair();
        pair.OpenRelay();
        pair.IsDirectDark = pair.IsRelayDark = true;
        Assert.True(pair.Client.TryOpenStream(StreamDirection.Unidirectional, out StreamId id));
        pair.Client.Write(id, new byte[50_000]);
        pair.Pair.Drain();
        pair.Pair.RunFor(TimeSpan.FromSeconds(6));
        pair.IsDirectDark = pair.IsRelayDark = false;
        Instant start = pair.Now;
        pair.Pair.RunUntil(() => pair.Server.TryAcceptStream(StreamDirection.Unidirectional, out _));
        Assert.InRange(pair.Now - start, TimeSpan.Zero, TimeSpan.FromSeconds(1.5));
        Assert.Equal(2, pair.Client.PathCount);
        pair.Transfer(100_000);
    }

    [Fact]
    public void Keys_are_updated_over_several_paths()
    {
        var pair = new MultipathPair(p =>
        {
            p.ClientConfiguration = p.ClientConfiguration with { PacketsPerKeyMax = 50 };
            p.ServerConfiguration = p.ServerConfiguration with { PacketsPerKeyMax = 40 };
        });
        PathId relay = pair.OpenRelay(PathStatus.Available);
        for (int i = 0; i < 20; i++)
        {
            pair.Client.SetPathStatus(pair.Now, i % 2 == 0 ? relay : Direct, PathStatus.Available);
            pair.Client.SetPathStatus(pair.Now, i % 2 == 0 ? Direct : relay, PathStatus.Backup);
            pair.Transfer(100_000);
            pair.Pair.RunFor(TimeSpan.FromMilliseconds(500));
        }

        Assert.True(pair.Client.Statistics.KeyUpdates > 10);
        Assert.Null(pair.Server.CloseReason);
    }

    [Fact]
    public void A_close_is_heard_though_the_path_in_use_is_dark()
    {
        var pair = new MultipathPair();
        pair.OpenRelay();
        pair.IsDirectDark = true;
        pair.Client.Close(pair.Now, 5, "bye"u8);
        pair.Pair.Drain();
        pair.Pair.RunFor(TimeSpan.FromMilliseconds(100));
        Assert.Equal(5UL, pair.Server.CloseReason?.Code);
        pair.Pair.RunUntilQuiet();
        Assert.True(pair.Client.IsDrained && pair.Server.IsDrained);
        Assert.Equal(0, pair.Pair.Server.Core.ConnectionCount);
    }

    [Fact]
    public void When_the_peer_gives_up_the_last_path_the_connection_ends_unless_a_new_one_comes()
    {
        foreach (bool opensAnother in new[] { false, true })
        {
            var pair = new MultipathPair();
            pair.Forge(pair.Server, (ref WireWriter w) => new PathAbandonFrame(Direct, 1).Write(ref w));
            pair.Pair.RunUntil(() => MultipathPair.Has(pair.Pair.ClientSide, ConnectionEventKind.PathClosed, Direct));
            if (opensAnother)
            {
                pair.OpenRelay();
                pair.Transfer(100_000);
                pair.Pair.RunFor(TimeSpan.FromSeconds(10));
                Assert.Equal(1, pair.Client.PathCount);
                pair.Transfer(100_000);
            }
            else
            {
                pair.Pair.RunFor(TimeSpan.FromSeconds(4));
                Assert.Equal((CloseCause.LocalTransport, TransportErrorCode.NoViablePath), (pair.Client.CloseReason!.Cause, pair.Client.CloseReason.Code));
            }
        }
    }

    [Fact]
    public void After_a_change_of_the_network_a_client_replaces_what_cannot_recover()
    {
        var pair = new MultipathPair();
        PathId relay = pair.OpenRelay();
        pair.Client.OnNetworkChange(pair.Now, address => address.Remote.IsVirtual);
        pair.Pair.Drain();
        pair.Pair.RunUntil(() => MultipathPair.Has(pair.Pair.ServerSide, ConnectionEventKind.PathOpened, new PathId(2)));
        pair.Pair.RunUntil(() => MultipathPair.Has(pair.Pair.ServerSide, ConnectionEventKind.PathClosed, Direct));
        Assert.Equal(Pair.ServerAddress, MultipathPair.Get(pair.Client, new PathId(2)).Address.Remote);
        Assert.True(MultipathPair.Get(pair.Client, relay).IsValidated);
        pair.Transfer(100_000);
        Assert.True(MultipathPair.Get(pair.Client, new PathId(2)).CarriesData);
    }

    [Fact]
    public void A_server_asks_its_paths_after_a_change_of_the_network()
    {
        var pair = new MultipathPair();
        pair.OpenRelay();
        int before = pair.Pair.ServerTrace.PacketsSent;
        pair.Server.OnNetworkChange(pair.Now, _ => false);
        pair.Pair.Drain();
        Assert.True(pair.Pair.ServerTrace.PacketsSent >= before + 2);
        pair.Pair.RunFor(TimeSpan.FromSeconds(1));
        Assert.Equal(2, pair.Server.PathCount);
        pair.Transfer(100_000);
    }

    [Fact]
    public void Large_datagrams_wait_for_no_path_that_cannot_take_them()
    {
        var pair = new MultipathPair();
        pair.Pair.RunFor(TimeSpan.FromSeconds(1));
        int large = pair.Client.MaxDatagramSize;
        Assert.True(large > 1300);
        PathId relay = pair.OpenRelay(PathStatus.Available);
        Assert.True(pair.Client.MaxDatagramSize <= large);
        Assert.Equal(pair.Client.MaxDatagramSize < 1300, MultipathPair.Get(pair.Client, relay).Mtu == 1200);
        pair.Transfer(100_000);
    }
}
