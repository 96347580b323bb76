using Iroh.Cryptography;
using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.NatTraversal;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Spaces;

namespace Iroh.Quic.Protocol.Tests.NatTraversal;

public class CandidateAnnouncementsTests
{
    private readonly CandidateAnnouncements _announcements = new();
    private readonly byte[] _buffer = new byte[2000];

    [Fact]
    public void Candidates_are_announced_from_sequence_number_0_and_taken_back_by_it()
    {
        _announcements.SetLimit(32);
        _announcements.Set([A(1), A(2)]);
        Assert.Equal("+0:1 +1:2", Send(out List<SentFrame> sent));
        Acknowledge(sent);
        _announcements.Set([A(2), A(3)]);
        Assert.Equal("-0 +2:3", Send(out _));
        Assert.False(_announcements.HasFrames);
    }

    [Fact]
    public void Nothing_is_announced_before_the_limit_is_known_and_never_more()
    {
        _announcements.Set([A(1), A(2), A(3)]);
        Assert.False(_announcements.HasFrames);
        _announcements.SetLimit(2);
        Assert.Equal("+0:1 +1:2", Send(out List<SentFrame> sent));
        Acknowledge(sent);
        _announcements.Set([A(3), A(2)]);
        Assert.Equal("-0", Send(out sent)); // A(3) waits for the slot
        Assert.False(_announcements.HasFrames);
        Acknowledge(sent);
        Assert.Equal("+2:3", Send(out _));
    }

    [Fact]
    public void What_is_lost_is_sent_again()
    {
        _announcements.SetLimit(32);
        _announcements.Set([A(1)]);
        Send(out List<SentFrame> sent);
        Lose(sent);
        Assert.Equal("+0:1", Send(out sent));
        Acknowledge(sent);
        _announcements.Set([]);
        Assert.Equal("-0", Send(out sent));
        Lose(sent);
        Assert.Equal("-0", Send(out sent));
        Acknowledge(sent);
        Assert.False(_announcements.HasFrames);
    }

    [Fact]
    public void A_removal_waits_until_the_fate_of_the_announcement_is_known()
    {
        _announcements.SetLimit(32);
        _announcements.Set([A(1), A(2)]);
        Send(out List<SentFrame> sent);
        _announcements.Set([]);
        Assert.False(_announcements.HasFrames);
        Acknowledge(sent[..1]);
        Lose(sent[1..]);
        Assert.Equal("-0 -1", Send(out _));
    }

    [Fact]
    public void A_candidate_that_nobody_was_told_of_is_dropped_silently()
    {
        _announcements.SetLimit(32);
        _announcements.Set([A(1)]);
        _announcements.Set([A(2)]);
        Assert.Equal("+1:2", Send(out _));
    }

    [Fact]
    public void A_candidate_that_comes_back_has_a_new_number()
    {
        _announcements.SetLimit(32);
        _announcements.Set([A(1)]);
        Send(out List<SentFrame> sent);
        Acknowledge(sent);
        _announcements.Set([]);
        _announcements.Set([A(1)]);
        Assert.Equal("-0 +1:1", Send(out _));
    }

    [Fact]
    public void In_any_history_the_client_ends_with_the_candidates_and_never_holds_more_than_its_limit()
    {
        for (ulong seed = 0; seed < 300; seed++)
            RunHistory(seed);
    }

    // Frames are lost, or arrive at once, in order; acknowledgements arrive later.
    private void RunHistory(ulong seed)
    {
        var random = new SeededRandomSource(seed);
        var announcements = new CandidateAnnouncements();
        var client = new SortedDictionary<ulong, NetworkAddress>();
        var onTheWay = new List<(SentFrame Frame, bool Arrived)>();
        NetworkAddress[] wanted = [];
        announcements.SetLimit(4);
        for (int i = 0; i < 200; i++)
        {
            bool isEnd = i > 150;
            if (!isEnd && random.NextBelow(4) == 0)
            {
                wanted = [.. Enumerable.Range(0, (int)random.NextBelow(7)).Select(n => A((byte)(n + (int)random.NextBelow(20)))).Distinct()];
                announcements.Set(wanted);
            }

            var frames = new SentFrameList();
            var writer = new WireWriter(_buffer.AsSpan(0, 5 + (int)random.NextBelow(100)));
            announcements.WriteFrames(ref writer, frames);
            bool arrives = isEnd || random.NextBelow(3) != 0;
            if (arrives)
                Receive(writer.Written, client);
            foreach (SentFrame frame in frames.Frames)
                onTheWay.Add((frame, arrives));
            Assert.True(client.Count <= 4, $"seed {seed}, step {i}");
            while (onTheWay.Count > 0 && (isEnd || random.NextBelow(2) == 0))
            {
                (SentFrame frame, bool arrived) = onTheWay[0];
                onTheWay.RemoveAt(0);
                if (arrived)
                    announcements.OnAcknowledged(frame);
                else
                    announcements.OnLost(frame);
            }
        }

        NetworkAddress[] expected = [.. wanted.Take(4).OrderBy(a => a.Port)];
        Assert.True(expected.SequenceEqual(client.Values.OrderBy(a => a.Port)), $"seed {seed}");
    }

    private static NetworkAddress A(byte number) => NetworkAddress.FromIPv4([192, 0, 2, 1], number);

    private static void Receive(ReadOnlySpan<byte> bytes, SortedDictionary<ulong, NetworkAddress> client)
    {
        var reader = new WireReader(bytes);
        while (reader.Remaining > 0)
        {
            Assert.True(FrameReader.TryReadType(ref reader, out ulong type, out _));
            if (RemoveAddressFrame.TryRead(ref reader, type, out RemoveAddressFrame remove))
                client.Remove(remove.SequenceNumber);
            else if (AddAddressFrame.TryRead(ref reader, type, out AddAddressFrame add))
                client[add.SequenceNumber] = add.Address;
            else
                Assert.Fail($"{type:x}");
        }
    }

    private string Send(out List<SentFrame> sent)
    {
        var frames = new SentFrameList();
        var writer = new WireWriter(_buffer);
        _announcements.WriteFrames(ref writer, frames);
        sent = [.. frames.Frames];
        var reader = new WireReader(writer.Written);
        var texts = new List<string>();
        while (reader.Remaining > 0)
        {
            Assert.True(FrameReader.TryReadType(ref reader, out ulong type, out _));
            if (RemoveAddressFrame.TryRead(ref reader, type, out RemoveAddressFrame remove))
                texts.Add($"-{remove.SequenceNumber}");
            else if (AddAddressFrame.TryRead(ref reader, type, out AddAddressFrame add))
                texts.Add($"+{add.SequenceNumber}:{add.Address.Port}");
        }

        return string.Join(' ', texts);
    }

    private void Acknowledge(List<SentFrame> frames) => frames.ForEach(f => _announcements.OnAcknowledged(f));

    private void Lose(List<SentFrame> frames) => frames.ForEach(f => _announcements.OnLost(f));
}
