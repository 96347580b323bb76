using Iroh.Cryptography;
using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.ConnectionIds;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Tests.Codec;

namespace Iroh.Quic.Protocol.Tests.ConnectionIds;

public class RemoteIdsTests
{
    private const int Limit = 5;

    [Fact]
    public void The_handshake_id_is_active_and_can_be_replaced()
    {
        var ids = new RemoteIds(PathId.Zero, Limit, Id(100));
        Assert.Equal(Id(100), ids.Active);
        Assert.Null(ids.ActiveResetToken);
        ids.ReplaceHandshakeId(Id(0));
        Assert.Equal(Id(0), ids.Active);
        ids.SetHandshakeResetToken(Token(0));
        Assert.Equal(Token(0), ids.ActiveResetToken);
        Assert.Equal(0, ids.SpareCount);
        Assert.False(ids.TrySwitch());
    }

    [Fact]
    public void A_path_without_handshake_has_no_id_until_one_is_issued()
    {
        var ids = new RemoteIds(new PathId(2), Limit);
        Assert.False(ids.HasActive);
        Assert.Null(ids.ActiveResetToken);
        Assert.Null(ids.OnNewConnectionId(Frame(0), out bool changed));
        Assert.True(changed);
        Assert.True(ids.HasActive);
        Assert.Equal(Id(0), ids.Active);
        Assert.Equal(Token(0), ids.ActiveResetToken);
        Assert.False(ids.TryGetRetirement(out _));
    }

    [Fact]
    public void Switching_retires_the_active_id()
    {
        RemoteIds ids = WithHandshake();
        Assert.Null(ids.OnNewConnectionId(Frame(1), out bool changed));
        Assert.False(changed);
        Assert.Equal(1, ids.SpareCount);
        Assert.True(ids.TrySwitch());
        Assert.Equal(Id(1), ids.Active);
        Assert.Equal(1UL, ids.ActiveSequence);
        Assert.Equal(Token(1), ids.ActiveResetToken);
        Assert.Equal([0UL], Retirements(ids));
    }

    // RFC 9000 §5.1.2: "Upon receipt of an increased Retire Prior To field, the peer MUST stop using the corresponding
    // connection IDs and retire them with RETIRE_CONNECTION_ID frames before adding the newly provided connection ID to the set
    // of active connection IDs."
    [Fact]
    public void Retire_prior_to_retires_all_below_and_goes_to_the_next()
    {
        RemoteIds ids = WithHandshake();
        ids.OnNewConnectionId(Frame(1), out _);
        ids.OnNewConnectionId(Frame(2), out _);
        Assert.Null(ids.OnNewConnectionId(Frame(3, retirePriorTo: 2), out bool changed));
        Assert.True(changed);
        Assert.Equal(Id(2), ids.Active);
        Assert.Equal([0UL, 1UL], Retirements(ids));
    }

    [Fact]
    public void The_ids_below_are_retired_before_the_new_one_counts_against_the_limit()
    {
        RemoteIds ids = WithHandshake();
        for (ulong sequence = 1; sequence < Limit; sequence++)
            Assert.Null(ids.OnNewConnectionId(Frame(sequence), out _));
        Assert.Null(ids.OnNewConnectionId(Frame(5, retirePriorTo: 1), out _));
        Assert.Equal(Id(1), ids.Active);
    }

    [Fact]
    public void If_all_are_retired_the_new_id_becomes_active()
    {
        RemoteIds ids = WithHandshake();
        Assert.Null(ids.OnNewConnectionId(Frame(3, retirePriorTo: 3), out bool changed));
        Assert.True(changed);
        Assert.Equal(Id(3), ids.Active);
        Assert.Equal([0UL, 1UL, 2UL], Retirements(ids));
    }

    // RFC 9000 §19.15: "A receiver MUST ignore any Retire Prior To fields that do not increase the largest received Retire
    // Prior To value."
    [Fact]
    public void A_smaller_retire_prior_to_is_ignored()
    {
        RemoteIds ids = WithHandshake();
        ids.OnNewConnectionId(Frame(3, retirePriorTo: 3), out _);
        Assert.Null(ids.OnNewConnectionId(Frame(4, retirePriorTo: 1), out bool changed));
        Assert.False(changed);
        Assert.Equal(Id(3), ids.Active);
    }

    // RFC 9000 §19.15: "An endpoint that receives a NEW_CONNECTION_ID frame with a sequence number smaller than the Retire Prior
    // To field of a previously received NEW_CONNECTION_ID frame MUST send a corresponding RETIRE_CONNECTION_ID frame that
    // retires the newly received connection ID, unless it has already done so for that sequence number."
    [Fact]
    public void An_id_that_arrives_after_it_was_retired_is_not_used()
    {
        RemoteIds ids = WithHandshake();
        ids.OnNewConnectionId(Frame(3, retirePriorTo: 3), out _);
        Assert.Null(ids.OnNewConnectionId(Frame(1), out bool changed));
        Assert.False(changed);
        Assert.Equal(Id(3), ids.Active);
        Assert.Equal(0, ids.SpareCount);
        Assert.Equal([0UL, 1UL, 2UL], Retirements(ids));
    }

    [Fact]
    public void Ids_that_arrive_out_of_order_are_all_usable()
    {
        RemoteIds ids = WithHandshake();
        foreach (ulong sequence in new ulong[] { 4, 2, 1, 3 })
            Assert.Null(ids.OnNewConnectionId(Frame(sequence), out _));
        for (ulong sequence = 1; sequence < Limit; sequence++)
        {
            Assert.True(ids.TrySwitch());
            Assert.Equal(Id(sequence), ids.Active);
        }
    }

    // RFC 9000 §5.1.1: "if the number of active connection IDs exceeds the value advertised in its active_connection_id_limit
    // transport parameter, an endpoint MUST close the connection with an error of type CONNECTION_ID_LIMIT_ERROR."
    [Fact]
    public void One_id_more_than_our_limit_is_an_error()
    {
        RemoteIds ids = WithHandshake();
        for (ulong sequence = 1; sequence < Limit; sequence++)
            Assert.Null(ids.OnNewConnectionId(Frame(sequence), out _));
        AssertError(TransportErrorCode.ConnectionIdLimitError, ids.OnNewConnectionId(Frame(Limit), out _));
    }

    [Fact]
    public void Switching_makes_room_for_one_more()
    {
        RemoteIds ids = WithHandshake();
        for (ulong sequence = 1; sequence < Limit; sequence++)
            ids.OnNewConnectionId(Frame(sequence), out _);
        ids.TrySwitch();
        Assert.Null(ids.OnNewConnectionId(Frame(Limit), out _));
    }

    // RFC 9000 §19.15: "Receipt of the same frame multiple times MUST NOT be treated as a connection error."
    [Fact]
    public void A_repeated_frame_is_no_error_and_changes_nothing()
    {
        RemoteIds ids = WithHandshake();
        for (int i = 0; i < 3; i++)
        {
            Assert.Null(ids.OnNewConnectionId(Frame(1), out bool changed));
            Assert.False(changed);
        }

        Assert.Equal(1, ids.SpareCount);
    }

    // RFC 9000 §19.15: "If an endpoint receives a NEW_CONNECTION_ID frame that repeats a previously issued connection ID with a
    // different Stateless Reset Token field value or a different Sequence Number field value, or if a sequence number is used for
    // different connection IDs, the endpoint MAY treat that receipt as a connection error of type PROTOCOL_VIOLATION."
    [Fact]
    public void Contradictions_are_protocol_violations()
    {
        RemoteIds ids = WithHandshake();
        ids.OnNewConnectionId(Frame(1), out _);
        AssertError(TransportErrorCode.ProtocolViolation, ids.OnNewConnectionId(Frame(1) with { ResetToken = Token(9) }, out _));
        AssertError(TransportErrorCode.ProtocolViolation, ids.OnNewConnectionId(Frame(1) with { ConnectionId = Id(9) }, out _));
        AssertError(TransportErrorCode.ProtocolViolation, ids.OnNewConnectionId(Frame(2) with { ConnectionId = Id(1) }, out _));
        AssertError(TransportErrorCode.ProtocolViolation, ids.OnNewConnectionId(Frame(2) with { ConnectionId = Id(0) }, out _));
    }

    // RFC 9000 §19.15: "An endpoint that is sending packets with a zero-length Destination Connection ID MUST treat receipt of a
    // NEW_CONNECTION_ID frame as a connection error of type PROTOCOL_VIOLATION."
    [Fact]
    public void A_peer_with_ids_of_no_bytes_may_not_issue_any()
    {
        var ids = new RemoteIds(PathId.Zero, Limit, default(ConnectionId));
        AssertError(TransportErrorCode.ProtocolViolation, ids.OnNewConnectionId(Frame(1), out _));
    }

    // RFC 9000 §5.1.2: "An endpoint SHOULD limit the number of connection IDs it has retired locally for which
    // RETIRE_CONNECTION_ID frames have not yet been acknowledged."
    [Fact]
    public void More_than_50_unacknowledged_retirements_are_an_error()
    {
        RemoteIds ids = WithHandshake();
        for (ulong sequence = 1; sequence <= RemoteIds.RetirementsMax; sequence++)
            Assert.Null(ids.OnNewConnectionId(Frame(sequence, retirePriorTo: sequence), out _));
        AssertError(
            TransportErrorCode.ConnectionIdLimitError, ids.OnNewConnectionId(Frame(51, retirePriorTo: 51), out _));
    }

    [Fact]
    public void A_retire_prior_to_far_away_is_an_error()
    {
        RemoteIds ids = WithHandshake();
        ulong far = (1UL << 62) - 1;
        AssertError(
            TransportErrorCode.ConnectionIdLimitError, ids.OnNewConnectionId(Frame(far, retirePriorTo: far), out _));
    }

    [Fact]
    public void Acknowledged_retirements_are_forgotten_and_make_room()
    {
        RemoteIds ids = WithHandshake();
        for (ulong sequence = 1; sequence <= 1_000; sequence++)
        {
            Assert.Null(ids.OnNewConnectionId(Frame(sequence, retirePriorTo: sequence), out _));
            Assert.True(ids.TryGetRetirement(out RetireConnectionIdFrame frame));
            Assert.Equal(sequence - 1, frame.SequenceNumber);
            ids.OnRetirementSent(frame.SequenceNumber);
            Assert.False(ids.TryGetRetirement(out _));
            ids.OnRetirementAcknowledged(frame.SequenceNumber);
        }
    }

    // RFC 9000 §13.3: RETIRE_CONNECTION_ID frames are sent again if lost.
    [Fact]
    public void A_lost_retirement_is_sent_again_and_one_already_acknowledged_is_not()
    {
        RemoteIds ids = WithHandshake();
        ids.OnNewConnectionId(Frame(1, retirePriorTo: 1), out _);
        ids.OnRetirementSent(0);
        ids.OnRetirementLost(0);
        Assert.True(ids.TryGetRetirement(out RetireConnectionIdFrame frame));
        Assert.Equal(0UL, frame.SequenceNumber);
        ids.OnRetirementSent(0);
        ids.OnRetirementAcknowledged(0);
        ids.OnRetirementLost(0);
        Assert.False(ids.TryGetRetirement(out _));
    }

    [Fact]
    public void The_reset_token_of_the_handshake_id_does_not_go_to_a_later_one()
    {
        RemoteIds ids = WithHandshake();
        ids.OnNewConnectionId(Frame(1, retirePriorTo: 1), out _);
        ids.SetHandshakeResetToken(Token(77));
        Assert.Equal(Token(1), ids.ActiveResetToken);
    }

    // An issuer that keeps the rules, announcements that arrive late, twice or in any order, retirements that are lost: there
    // is never an error, and an id that was retired is never used again.
    [Fact]
    public void A_lawful_issuer_over_a_bad_network_is_followed()
    {
        for (ulong seed = 1; seed <= 50; seed++)
        {
            var random = new SeededRandomSource(seed);
            RemoteIds ids = WithHandshake();
            var issued = new List<NewConnectionIdFrame>();
            var retired = new HashSet<ulong>();
            ulong next = 1;
            ulong retirePriorTo = 0;
            ulong lastActive = 0;
            for (int i = 0; i < 2_000; i++)
            {
                string round = $"seed {seed}, round {i}";
                if (random.NextBelow(50) == 0 && retirePriorTo + 1 < next)
                    retirePriorTo++;
                while (next - (ulong)retired.Count < Limit)
                    issued.Add(Frame(next++, retirePriorTo));
                NewConnectionIdFrame frame = issued[Math.Max(0, issued.Count - 1 - (int)random.NextBelow(8))];
                Assert.True(ids.OnNewConnectionId(frame, out _) is null, round);
                if (random.NextBelow(20) == 0)
                    ids.TrySwitch();
                Assert.True(ids.ActiveSequence >= lastActive && !retired.Contains(ids.ActiveSequence), round);
                lastActive = ids.ActiveSequence;

                if (random.Coin() || !ids.TryGetRetirement(out RetireConnectionIdFrame retirement))
                    continue;
                ids.OnRetirementSent(retirement.SequenceNumber);
                if (random.Coin())
                {
                    ids.OnRetirementLost(retirement.SequenceNumber);
                    continue;
                }

                Assert.True(retirement.SequenceNumber < next, round);
                Assert.True(retired.Add(retirement.SequenceNumber), round);
                ids.OnRetirementAcknowledged(retirement.SequenceNumber);
            }

            Assert.True(retired.Count > 20, $"seed {seed}: {retired.Count}");
        }
    }

    private static RemoteIds WithHandshake() => new(PathId.Zero, Limit, Id(0));

    private static ConnectionId Id(ulong sequence) => new(BitConverter.GetBytes(sequence));

    private static StatelessResetToken Token(ulong sequence) =>
        new([.. BitConverter.GetBytes(sequence), .. BitConverter.GetBytes(~sequence)]);

    private static NewConnectionIdFrame Frame(ulong sequence, ulong retirePriorTo = 0) =>
        new(sequence, retirePriorTo, Id(sequence), Token(sequence));

    private static List<ulong> Retirements(RemoteIds ids)
    {
        var sequences = new List<ulong>();
        while (ids.TryGetRetirement(out RetireConnectionIdFrame frame))
        {
            sequences.Add(frame.SequenceNumber);
            ids.OnRetirementSent(frame.SequenceNumber);
        }

        return sequences;
    }

    private static void AssertError(ulong code, TransportError? error)
    {
        Assert.Equal(code, error?.Code);
        Assert.Equal(FrameType.NewConnectionId, error?.FrameType);
    }
}
