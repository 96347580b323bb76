using Iroh.Cryptography;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Spaces;

namespace Iroh.Quic.Protocol.Tests.Spaces;

public class SentPacketsTests
{
    private const SentPacketFlags Eliciting = SentPacketFlags.AckEliciting | SentPacketFlags.InFlight;

    private static readonly Instant Start = new(1_000_000_000);

    [Fact]
    public void Frames_come_back_with_their_packet_whatever_the_order_of_resolution()
    {
        for (ulong seed = 0; seed < 2000; seed++)
        {
            SeededRandomSource random = new(seed);
            SentPackets sent = new();
            SortedDictionary<long, (SentPacket Packet, SentFrame[] Frames)> model = [];
            SentFrameList copied = new();
            ulong number = 0;
            for (int step = 0; step < 200; step++)
            {
                if (random.NextBelow(5) < 3)
                {
                    number += 1 + random.NextBelow(2);
                    SentFrame[] frames = new SentFrame[random.NextBelow(6)];
                    for (int i = 0; i < frames.Length; i++)
                        frames[i] = new SentFrame(SentFrameKind.Stream, i == 0, number, (ulong)i, random.NextUInt64());
                    SentPacketFlags flags = random.NextBelow(4) == 0 ? SentPacketFlags.None : Eliciting;
                    SentPacket packet = new(new(number), Start, 100 + (int)random.NextBelow(1000), (int)random.NextBelow(2), flags);
                    model.Add(sent.End, (packet, frames));
                    sent.Record(packet, frames);
                }
                else if (model.Count > 0)
                {
                    int skip = (int)random.NextBelow((ulong)Math.Min(model.Count, 4));
                    (long position, (SentPacket packet, SentFrame[] frames)) = model.Skip(skip).First();
                    copied.Clear();
                    sent.CopyFrames(position, copied);
                    Assert.True(copied.Frames.SequenceEqual(frames) && sent.At(position) == packet, $"seed {seed}, step {step}");
                    if (random.NextBelow(2) == 0)
                        sent.MarkAcknowledged(position);
                    else
                        sent.MarkLost(position);
                    model.Remove(position);
                    if (random.NextBelow(2) == 0)
                        sent.TrimFront();
                }

                Assert.True(sent.Outstanding == model.Count, $"seed {seed}, step {step}");
                Assert.True(sent.AckElicitingOutstanding == model.Values.Count(e => e.Packet.IsAckEliciting), $"seed {seed}, step {step}");
            }

            for (int generation = 0; generation < 2; generation++)
            {
                long expected = model.Values.Where(e => e.Packet.IsInFlight && e.Packet.PathGeneration == generation).Sum(e => e.Packet.Size);
                Assert.True(sent.SumBytesInFlight(generation) == expected, $"seed {seed}");
            }
        }
    }

    [Fact]
    public void A_pure_receiver_whose_acks_are_never_acknowledged_keeps_a_bounded_number_of_them()
    {
        SentPackets sent = new();
        for (ulong number = 0; number < 10_000; number++)
            sent.Record(new SentPacket(new(number), Start, 40, 0, SentPacketFlags.None), [new SentFrame(SentFrameKind.Ack, false, 0, number, 0)]);
        Assert.Equal(SentPackets.AckOnlyMax, sent.Outstanding);
        Assert.Equal(10_000UL - SentPackets.AckOnlyMax, sent.At(sent.First).Number.Value);
    }

    [Fact]
    public void Data_in_flight_in_front_of_the_acks_is_not_forgotten()
    {
        SentPackets sent = new();
        sent.Record(new SentPacket(new(0), Start, 1200, 0, Eliciting), []);
        for (ulong number = 1; number < 5_000; number++)
            sent.Record(new SentPacket(new(number), Start, 40, 0, SentPacketFlags.None), []);
        Assert.Equal(1, sent.AckElicitingOutstanding);
        Assert.Equal(SentPackets.AckOnlyMax + 1, sent.Outstanding);
    }

    [Fact]
    public void Probes_repeat_the_oldest_packets_that_elicit_an_ack()
    {
        SentPackets sent = new();
        SentFrame[] frames = Enumerable.Range(0, 5).Select(i => new SentFrame(SentFrameKind.Crypto, false, 0, (ulong)i, 1)).ToArray();
        sent.Record(new SentPacket(new(0), Start, 1200, 0, Eliciting), [frames[0]]);
        sent.Record(new SentPacket(new(1), Start, 1200, 0, SentPacketFlags.None), [frames[1]]);
        sent.Record(new SentPacket(new(2), Start, 1400, 0, Eliciting | SentPacketFlags.MtuProbe), [frames[2]]);
        sent.Record(new SentPacket(new(3), Start, 1200, 0, Eliciting), [frames[3]]);
        sent.Record(new SentPacket(new(4), Start, 1200, 0, Eliciting), [frames[4]]);
        SentFrameList copied = new();
        Assert.Equal(2, sent.CopyOldestFrames(2, copied));
        Assert.Equal([frames[0], frames[3]], copied.Frames.ToArray());
        Assert.Equal(5, sent.Outstanding);
    }

    [Fact]
    public void Probes_pass_by_packets_that_only_asked_for_a_sign_of_life()
    {
        SentPackets sent = new();
        var ids = new SentFrame(SentFrameKind.NewConnectionId, false, 1, 0, 0);
        sent.Record(new SentPacket(new(0), Start, 1200, 0, Eliciting), [new SentFrame(SentFrameKind.PathChallenge, false, 1, 0, 0)]);
        sent.Record(new SentPacket(new(1), Start, 30, 0, Eliciting), [new SentFrame(SentFrameKind.Ping, false, 0, 0, 0)]);
        sent.Record(new SentPacket(new(2), Start, 900, 0, Eliciting), [new SentFrame(SentFrameKind.Ack, false, 2, 7, 1), ids]);
        SentFrameList copied = new();
        Assert.Equal(1, sent.CopyOldestFrames(2, copied));
        Assert.Equal(ids, copied.Frames[1]);
    }

    [Fact]
    public void Packets_with_data_are_counted_from_when_there_were_none()
    {
        SentPackets sent = new();
        sent.Record(new SentPacket(new(0), Start, 30, 0, Eliciting), []);
        Assert.Equal(0, sent.DataOutstanding);
        Instant first = Start + TimeSpan.FromSeconds(1);
        sent.Record(new SentPacket(new(1), first, 900, 0, Eliciting | SentPacketFlags.Data), []);
        sent.Record(new SentPacket(new(2), first + TimeSpan.FromSeconds(1), 900, 0, Eliciting | SentPacketFlags.Data), []);
        Assert.Equal((2, first), (sent.DataOutstanding, sent.DataOutstandingSince));
        sent.MarkAcknowledged(1);
        sent.MarkLost(2);
        Assert.Equal(0, sent.DataOutstanding);
        Instant later = first + TimeSpan.FromSeconds(9);
        sent.Record(new SentPacket(new(3), later, 900, 0, Eliciting | SentPacketFlags.Data), []);
        Assert.Equal((1, later), (sent.DataOutstanding, sent.DataOutstandingSince));
    }
}
