using Iroh.Cryptography;
using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.ConnectionIds;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Tests.ConnectionIds;

public class LocalIdsTests
{
    private static readonly ConnectionId HandshakeId = new([0, 0, 0, 0, 0, 0, 0, 1]);
    private readonly SeededRandomSource _random = new(1);
    private readonly StatelessReset _reset = new(new byte[StatelessReset.KeyLength]);

    [Fact]
    public void The_handshake_id_is_the_only_one_until_the_peers_limit_is_known()
    {
        var ids = new LocalIds(PathId.Zero, HandshakeId);
        Assert.Equal(1, ids.Count);
        Assert.False(ids.TryIssue(_random, _reset, out _));
        Assert.False(ids.TryGetAnnouncement(out _));
    }

    // RFC 9000 §5.1.1: "An endpoint MUST NOT provide more connection IDs than the peer's limit."
    [Theory]
    [InlineData(2, 2)]
    [InlineData(4, 4)]
    [InlineData(5, 5)]
    [InlineData(6, 5)]
    [InlineData((1UL << 62) - 1, 5)]
    public void As_many_ids_are_issued_as_the_peer_allows_but_no_more_than_five(ulong peerLimit, int expected)
    {
        LocalIds ids = Filled(peerLimit);
        Assert.Equal(expected, ids.Count);
        Assert.Equal((ulong)expected, ids.NextSequence);
    }

    // RFC 9000 §5.1.1: "The sequence number on each newly issued connection ID MUST increase by 1."
    [Fact]
    public void Announcements_count_up_from_the_handshake_id_and_carry_id_and_token()
    {
        var known = new List<ConnectionId> { HandshakeId };
        LocalIds ids = Filled(5, known);
        Assert.Equal(5, known.Distinct().Count());
        for (ulong sequence = 1; sequence < 5; sequence++)
        {
            Assert.True(ids.TryGetAnnouncement(out NewConnectionIdFrame frame));
            Assert.Equal(new NewConnectionIdFrame(sequence, 0, known[(int)sequence], _reset.TokenOf(known[(int)sequence])), frame);
            Assert.Equal(ConnectionIdGenerator.LocalLength, frame.ConnectionId.Length);
            ids.OnAnnouncementSent(sequence);
        }

        Assert.False(ids.TryGetAnnouncement(out _));
    }

    [Fact]
    public void A_path_without_handshake_starts_with_sequence_number_0()
    {
        var ids = new LocalIds(new PathId(3));
        Assert.False(ids.TryIssue(_random, _reset, out _));
        ids.SetPeerLimit(5);
        Assert.True(ids.TryIssue(_random, _reset, out ConnectionId id));
        Assert.True(ids.TryGetAnnouncement(out NewConnectionIdFrame frame));
        Assert.Equal((0UL, id), (frame.SequenceNumber, frame.ConnectionId));
    }

    // RFC 9000 §13.3: NEW_CONNECTION_ID frames are sent again if lost, with the same sequence number.
    [Fact]
    public void A_lost_announcement_is_sent_again_with_the_same_content()
    {
        LocalIds ids = Filled(3);
        ids.TryGetAnnouncement(out NewConnectionIdFrame first);
        ids.OnAnnouncementSent(1);
        ids.OnAnnouncementSent(2);
        ids.OnAnnouncementLost(1);
        Assert.True(ids.TryGetAnnouncement(out NewConnectionIdFrame again));
        Assert.Equal(first, again);
    }

    [Fact]
    public void The_announcement_of_a_retired_id_is_not_sent_again()
    {
        LocalIds ids = Filled(2);
        ids.OnAnnouncementSent(1);
        Assert.Null(ids.OnRetired(1, HandshakeId, out _));
        ids.OnAnnouncementLost(1);
        Assert.False(ids.TryGetAnnouncement(out _));
    }

    // RFC 9000 §5.1.1: "An endpoint SHOULD supply a new connection ID when the peer retires a connection ID."
    [Fact]
    public void A_retired_id_is_forgotten_and_replaced()
    {
        var issued = new List<ConnectionId>();
        LocalIds ids = Filled(5, issued);
        Assert.Null(ids.OnRetired(0, issued[0], out ConnectionId? retired));
        Assert.Equal(HandshakeId, retired);
        Assert.False(ids.Contains(HandshakeId));
        Assert.True(ids.Contains(issued[3]));
        Assert.True(ids.TryIssue(_random, _reset, out ConnectionId replacement));
        Assert.True(ids.Contains(replacement));
        Assert.Equal(6UL, ids.NextSequence);
        Assert.False(ids.TryIssue(_random, _reset, out _));
    }

    // RFC 9000 §19.16: "Receipt of a RETIRE_CONNECTION_ID frame containing a sequence number greater than any previously sent
    // to the peer MUST be treated as a connection error of type PROTOCOL_VIOLATION."
    [Fact]
    public void Retiring_what_was_never_issued_is_a_protocol_violation()
    {
        LocalIds ids = Filled(5);
        Assert.Null(ids.OnRetired(4, HandshakeId, out _));
        TransportError? error = ids.OnRetired(5, HandshakeId, out ConnectionId? retired);
        Assert.Equal(TransportErrorCode.ProtocolViolation, error?.Code);
        Assert.Equal(FrameType.RetireConnectionId, error?.FrameType);
        Assert.Null(retired);
    }

    // RFC 9000 §19.16: "The sequence number specified in a RETIRE_CONNECTION_ID frame MUST NOT refer to the Destination
    // Connection ID field of the packet in which the frame is contained. The peer MAY treat this as a connection error of type
    // PROTOCOL_VIOLATION."
    [Fact]
    public void Retiring_the_id_that_the_packet_was_sent_to_is_a_protocol_violation()
    {
        LocalIds ids = Filled(5);
        Assert.Equal(TransportErrorCode.ProtocolViolation, ids.OnRetired(0, HandshakeId, out _)?.Code);
    }

    [Fact]
    public void Retiring_an_id_again_is_no_error()
    {
        LocalIds ids = Filled(5);
        ids.OnRetired(2, HandshakeId, out _);
        Assert.Null(ids.OnRetired(2, HandshakeId, out ConnectionId? retired));
        Assert.Null(retired);
        Assert.Equal(4, ids.Count);
    }

    [Fact]
    public void Any_sequence_of_retirements_keeps_the_limit_and_the_numbers()
    {
        const ulong Seed = 2;
        var random = new SeededRandomSource(Seed);
        LocalIds ids = Filled(5);
        for (int i = 0; i < 10_000; i++)
        {
            ulong sequence = random.NextBelow(ids.NextSequence + 2);
            bool neverIssued = sequence >= ids.NextSequence;
            Assert.True(neverIssued == ids.OnRetired(sequence, default, out _) is not null, $"seed {Seed}, round {i}");
            while (ids.TryIssue(_random, _reset, out ConnectionId id))
                Assert.True(ids.Contains(id));
            Assert.Equal(5, ids.Count);
        }
    }

    private LocalIds Filled(ulong peerLimit, List<ConnectionId>? issued = null)
    {
        var ids = new LocalIds(PathId.Zero, HandshakeId);
        ids.SetPeerLimit(peerLimit);
        while (ids.TryIssue(_random, _reset, out ConnectionId id))
            issued?.Add(id);

        return ids;
    }
}
