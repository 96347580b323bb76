using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.ConnectionIds;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Tests.Connections;

/// <summary>What a peer must not say of paths (draft-ietf-quic-multipath-21), and what it may say too early or too late.</summary>
public class MultipathViolationTests
{
    private static readonly PathId Beyond = new(8);

    private static NewConnectionIdFrame AnyId => new(0, 0, new ConnectionId([1, 2, 3, 4, 5, 6, 7, 8]), new StatelessResetToken(new byte[16]));

    private static PacketNumberRange[] First => [new PacketNumberRange(default, default)];

    public static TheoryData<string> Frames => ["ack", "abandon", "status", "new", "retire", "max", "blocked", "cids blocked"];

    [Theory]
    [MemberData(nameof(Frames))]
    public void No_frame_of_paths_comes_unless_they_were_negotiated(string frame)
    {
        var pair = new MultipathPair(p => p.ServerConfiguration = p.ServerConfiguration with { ConcurrentPathsMax = 1 });
        pair.Forge(pair.Client, (ref WireWriter w) => Write(ref w, frame, new PathId(1)));
        AssertClosed(pair, TransportErrorCode.ProtocolViolation);
    }

    [Theory]
    [InlineData("new")]
    [InlineData("retire")]
    [InlineData("blocked")]
    [InlineData("cids blocked")]
    [InlineData("ack")]
    public void A_path_beyond_the_limit_is_a_violation(string frame)
    {
        var pair = new MultipathPair();
        pair.Forge(pair.Client, (ref WireWriter w) => Write(ref w, frame, Beyond));
        AssertClosed(pair, TransportErrorCode.ProtocolViolation);
    }

    [Theory]
    [InlineData("abandon")]
    [InlineData("status")]
    [InlineData("max")]
    public void What_means_nothing_for_a_path_beyond_the_limit_is_ignored(string frame)
    {
        var pair = new MultipathPair();
        pair.Forge(pair.Client, (ref WireWriter w) => Write(ref w, frame, Beyond));
        pair.Pair.RunFor(TimeSpan.FromMilliseconds(100));
        Assert.Null(pair.Server.CloseReason);
        Assert.Equal(8, pair.Server.Paths.Entries.Count);
    }

    [Fact]
    public void Packets_of_a_path_that_was_never_used_cannot_be_acknowledged()
    {
        var pair = new MultipathPair();
        pair.Forge(pair.Client, (ref WireWriter w) => Write(ref w, "ack", new PathId(3)));
        AssertClosed(pair, TransportErrorCode.ProtocolViolation);
    }

    [Theory]
    [InlineData("ack")]
    [InlineData("abandon")]
    [InlineData("status")]
    [InlineData("new")]
    [InlineData("retire")]
    [InlineData("cids blocked")]
    public void Frames_of_a_path_that_is_forgotten_come_too_late(string frame)
    {
        var pair = new MultipathPair();
        PathId id = pair.OpenRelay();
        Assert.True(pair.Client.ClosePath(pair.Now, id, 0));
        pair.Pair.Drain();
        pair.Pair.RunFor(TimeSpan.FromSeconds(5));
        Assert.False(pair.Server.Paths.TryFind(id, out _));
        pair.Forge(pair.Client, (ref WireWriter w) => Write(ref w, frame, id));
        pair.Pair.RunFor(TimeSpan.FromMilliseconds(100));
        Assert.Null(pair.Server.CloseReason);
    }

    [Fact]
    public void More_connection_ids_than_the_limit_are_an_error_on_every_path()
    {
        var pair = new MultipathPair();
        pair.Forge(pair.Client, (ref WireWriter w) => new PathNewConnectionIdFrame(new PathId(2), AnyId with { SequenceNumber = 5 }).Write(ref w));
        AssertClosed(pair, TransportErrorCode.ConnectionIdLimitError);
    }

    [Fact]
    public void A_retired_connection_id_is_replaced_on_a_path_that_is_not_open()
    {
        var pair = new MultipathPair();
        pair.Forge(pair.Client, (ref WireWriter w) => new PathRetireConnectionIdFrame(new PathId(5), 2).Write(ref w));
        pair.Pair.RunFor(pair.Pair.Network.Conditions.Latency);
        Assert.Null(pair.Server.CloseReason);
        Assert.True(pair.Server.Paths.TryFind(new PathId(5), out var entry));
        Assert.Equal((5, 6UL), (entry.LocalIds.Count, entry.LocalIds.NextSequence));
    }

    [Fact]
    public void However_many_paths_a_peer_gives_up_at_once_the_ids_remembered_are_bounded()
    {
        var pair = new MultipathPair();
        for (int round = 0; round < 20; round++)
        {
            uint first = (uint)round * 20;
            pair.Forge(pair.Client, (ref WireWriter w) =>
            {
                for (uint i = 1; i <= 20; i++)
                    new PathAbandonFrame(new PathId(first + i), 0).Write(ref w);
            });
            pair.Pair.RunFor(TimeSpan.FromMilliseconds(5));
            Assert.InRange(pair.Server.Paths.Entries.Count, 1, 16);
        }

        pair.Pair.RunFor(TimeSpan.FromSeconds(5));
        Assert.Null(pair.Server.CloseReason);
        Assert.Equal(8, pair.Server.Paths.Entries.Count);
        pair.Transfer(50_000);
    }

    [Fact]
    public void An_older_status_does_not_replace_a_newer_one()
    {
        var pair = new MultipathPair();
        pair.Forge(pair.Client, (ref WireWriter w) => new PathStatusFrame(PathId.Zero, 2, IsBackup: true).Write(ref w));
        pair.Forge(pair.Client, (ref WireWriter w) => new PathStatusFrame(PathId.Zero, 1, IsBackup: false).Write(ref w));
        pair.Pair.RunFor(TimeSpan.FromMilliseconds(100));
        Assert.Equal(Iroh.Quic.Protocol.Paths.PathStatus.Backup, MultipathPair.Get(pair.Server, PathId.Zero).PeerStatus);
    }

    private static void Write(ref WireWriter w, string frame, PathId id)
    {
        switch (frame)
        {
            case "ack":
                Assert.True(PathAckFrame.TryWrite(ref w, id, First, 0, null, out _));
                break;
            case "abandon":
                new PathAbandonFrame(id, 0).Write(ref w);
                break;
            case "status":
                new PathStatusFrame(id, 1, IsBackup: true).Write(ref w);
                break;
            case "new":
                new PathNewConnectionIdFrame(id, AnyId).Write(ref w);
                break;
            case "retire":
                new PathRetireConnectionIdFrame(id, 0).Write(ref w);
                break;
            case "max":
                new MaxPathIdFrame(id).Write(ref w);
                break;
            case "blocked":
                new PathsBlockedFrame(id).Write(ref w);
                break;
            default:
                new PathCidsBlockedFrame(id, 0).Write(ref w);
                break;
        }
    }

    private static void AssertClosed(MultipathPair pair, ulong code)
    {
        pair.Pair.RunFor(TimeSpan.FromMilliseconds(100));
        Assert.Equal((CloseCause.LocalTransport, code), (pair.Server.CloseReason?.Cause, pair.Server.CloseReason?.Code));
    }
}
