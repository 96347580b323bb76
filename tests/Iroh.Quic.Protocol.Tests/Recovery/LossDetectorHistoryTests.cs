using Iroh.Cryptography;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Recovery;
using Iroh.Quic.Protocol.Spaces;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Tests.Recovery;

/// <summary>Random histories, with loss, reordering and late ACKs, against the pseudo-code of RFC 9002 §A over a plain sorted map.</summary>
public class LossDetectorHistoryTests
{
    private const int Seeds = 2500;
    private const int Steps = 120;

    [Fact]
    public void Random_histories_match_the_pseudo_code()
    {
        int losses = 0, collapses = 0, expiries = 0;
        for (ulong seed = 0; seed < Seeds; seed++)
        {
            History history = new(seed);
            for (int step = 0; step < Steps; step++)
                history.Step(step);
            losses += history.Losses;
            collapses += history.Collapses;
            expiries += history.Expiries;
        }

        // The histories must reach what they are meant to compare.
        Assert.True(losses > 10 * Seeds, $"{losses} losses");
        Assert.True(collapses > 20, $"{collapses} times persistent congestion");
        Assert.True(expiries > Seeds / 2, $"{expiries} probe timeouts");
    }

    [Fact]
    public void A_hundred_thousand_packets_in_flight_are_acknowledged_two_by_two()
    {
        const int Count = 100_000;
        RecoveryFixture f = new();
        for (int i = 0; i < Count; i++)
            f.Send(EncryptionLevel.Handshake);
        f.Wait(20);
        PacketNumberRange[] ranges = new PacketNumberRange[1];
        for (ulong last = 1; last < Count; last += 2)
        {
            // One range from the first packet on, as from a peer that never learns that its ACKs arrived.
            ranges[0] = new(new(0), new(last));
            Assert.Null(f.Detector.OnAckReceived(f.Now, EncryptionLevel.Handshake, ranges, TimeSpan.Zero, null, f.Path, f.Outcome));
            Assert.Equal(2, f.Outcome.PacketsAcknowledged);
        }

        Assert.Equal(0, f.Handshake.Sent.Outstanding);
        Assert.Equal(0, f.Path.Congestion.BytesInFlight);
    }

    [Fact]
    public void The_steady_state_allocates_nothing()
    {
        RecoveryFixture f = new();
        SentFrame[] frames = [new(SentFrameKind.Stream, false, 4, 0, 1000), new(SentFrameKind.MaxData, false, 0, 9, 0)];
        PacketNumberRange[] ranges = new PacketNumberRange[2];
        long allocated = 0;
        for (int round = 0; round < 2000; round++)
        {
            if (round == 1000)
                allocated = GC.GetAllocatedBytesForCurrentThread();
            PacketNumber first = f.Handshake.NextNumber;
            for (int i = 0; i < 64; i++)
            {
                SentPacket packet = new(f.Handshake.TakeNumber(), f.Now, 1200, 0, SentPacketFlags.AckEliciting | SentPacketFlags.InFlight);
                f.Detector.OnPacketSent(EncryptionLevel.Handshake, packet, frames, f.Path);
            }

            // One packet of each batch is lost.
            f.Now += TimeSpan.FromMilliseconds(5);
            ranges[0] = new(new(first.Value + 11), new(first.Value + 63));
            ranges[1] = new(first, new(first.Value + 9));
            f.Detector.OnAckReceived(f.Now, EncryptionLevel.Handshake, ranges, TimeSpan.Zero, null, f.Path, f.Outcome);
            f.Handshake.OnPacketReceived(f.Now, new((ulong)round), length: 100, isAckEliciting: true, EcnCodepoint.Ect0);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - allocated);
    }

    private sealed class History(ulong seed)
    {
        private readonly SeededRandomSource _random = new(seed);
        private readonly RecoveryFixture _f = new();
        private readonly Model _model = new();
        private readonly SortedSet<ulong> _arrived = [];
        private readonly List<PacketNumberRange[]> _acksUnderWay = [];
        private readonly ulong _lossPercent = (seed % 5) switch { 0 => 0UL, 1 => 5, 2 => 20, 3 => 50, _ => 90 };
        private int _step;

        public int Losses { get; private set; }

        public int Collapses { get; private set; }

        public int Expiries { get; private set; }

        public void Step(int step)
        {
            _step = step;
            switch (_random.NextBelow(8))
            {
                case 0 or 1 or 2:
                    Send(1 + (int)_random.NextBelow(8));
                    break;
                case 3:
                    CreateAck();
                    break;
                case 4 or 5:
                    CreateAck();
                    DeliverAck();
                    break;
                case 6:
                    DeliverAck();
                    break;
                default:
                    Advance(TimeSpan.FromMicroseconds(_random.NextBelow(_random.NextBelow(10) == 0 ? 1_500_000UL : 40_000)));
                    break;
            }

            CheckState();
        }

        private void Send(int count)
        {
            for (int i = 0; i < count; i++)
            {
                SentPacketFlags flags = _random.NextBelow(20) switch
                {
                    < 3 => SentPacketFlags.None,
                    3 => SentPacketFlags.InFlight,
                    _ => SentPacketFlags.AckEliciting | SentPacketFlags.InFlight,
                };
                int size = 50 + (int)_random.NextBelow(1150);
                PacketNumber number = _f.Send(flags: flags, size: size);
                _model.OnPacketSent(number.Value, _f.Now, size, flags);
                if (_random.NextBelow(100) >= _lossPercent)
                    _arrived.Add(number.Value);
                _f.Now += TimeSpan.FromMicroseconds(_random.NextBelow(200));
            }
        }

        /// <summary>An ACK of the newest ranges that arrived; leaving out the very newest packets reorders them behind it.</summary>
        private void CreateAck()
        {
            ulong newest = _arrived.Count == 0 ? 0 : _arrived.Max;
            ulong held = _random.NextBelow(4);
            List<PacketNumberRange> ranges = [];
            foreach (ulong number in _arrived.Reverse().SkipWhile(n => n + held > newest))
            {
                if (ranges.Count > 0 && ranges[^1].First.Value == number + 1)
                    ranges[^1] = new(new(number), ranges[^1].Last);
                else if (ranges.Count < 8)
                    ranges.Add(new(new(number), new(number)));
                else
                    break;
            }

            if (ranges.Count > 0)
                _acksUnderWay.Add(ranges.ToArray());
        }

        private void DeliverAck()
        {
            if (_acksUnderWay.Count == 0)
                return;
            Advance(TimeSpan.FromMicroseconds(_random.NextBelow(30_000)));
            int index = (int)_random.NextBelow((ulong)_acksUnderWay.Count);
            PacketNumberRange[] ranges = _acksUnderWay[index];
            _acksUnderWay.RemoveAt(index);
            TimeSpan delay = TimeSpan.FromMicroseconds(_random.NextBelow(30_000));
            TransportError? error = _f.Detector.OnAckReceived(_f.Now, EncryptionLevel.Application, ranges, delay, null, _f.Path, _f.Outcome);
            Check(error is null, "refused");
            _model.OnAckReceived(_f.Now, ranges, delay);
            CheckOutcome();
        }

        private void Advance(TimeSpan duration)
        {
            Instant end = _f.Now + duration;
            while (_f.Detector.Deadline(_f.Path) is var deadline && deadline <= end)
            {
                _f.Now = Instant.Max(_f.Now, deadline);
                CheckState();
                bool isProbe = _f.Expire() is not null;
                Expiries += isProbe ? 1 : 0;
                Check(isProbe == _model.OnTimeout(_f.Now), "another kind of timeout");
                CheckOutcome();
                if (isProbe)
                    Send(2);
            }

            _f.Now = Instant.Max(_f.Now, end);
        }

        private void CheckOutcome()
        {
            Check(_f.Acknowledged().SequenceEqual(_model.Acknowledged), "other packets acknowledged");
            Check(_f.Lost().SequenceEqual(_model.Lost), "other packets lost");
            Check(_f.Outcome.IsPersistentCongestion == _model.IsPersistentCongestion, "persistent congestion");
            Losses += _model.Lost.Count;
            Collapses += _model.IsPersistentCongestion ? 1 : 0;
        }

        private void CheckState()
        {
            Check(_f.Path.Congestion.BytesInFlight == _model.BytesInFlight, "bytes in flight");
            Check(_f.Path.Congestion.CongestionEvents == _model.CongestionEvents, "congestion events");
            Check(_f.Application.LossTime == _model.LossTime, "loss time");
            Check(_f.Detector.Deadline(_f.Path) == _model.Deadline, "deadline");
            Check(_f.Path.Rtt.Smoothed == _model.Rtt.Smoothed, "smoothed RTT");
        }

        private void Check(bool condition, string what) => Assert.True(condition, $"seed {seed}, step {_step}: {what}");
    }

    private sealed class Model
    {
        private static readonly TimeSpan MaxAckDelay = TimeSpan.FromMilliseconds(25);

        private readonly SortedDictionary<ulong, Packet> _packets = [];
        private long _largestAcknowledged = -1;
        private Instant _recoveryStart = new(long.MinValue);
        private Instant _lastAckEliciting;
        private int _probeCount;

        private enum Fate
        {
            Unknown,
            Acknowledged,
            Lost,
        }

        public RttEstimator Rtt { get; } = new();

        public List<ulong> Acknowledged { get; } = [];

        public List<ulong> Lost { get; } = [];

        public bool IsPersistentCongestion { get; private set; }

        public int CongestionEvents { get; private set; }

        public Instant LossTime { get; private set; } = Instant.Never;

        public long BytesInFlight => Outstanding.Where(p => p.IsInFlight).Sum(p => (long)p.Size);

        public Instant Deadline
        {
            get
            {
                if (LossTime != Instant.Never)
                    return LossTime;
                if (!Outstanding.Any(p => p.IsAckEliciting))
                    return Instant.Never;
                double wait = (Rtt.Smoothed + TimeSpan.FromTicks(Math.Max(Rtt.Variation.Ticks * 4, 10_000)) + MaxAckDelay).Ticks * Math.Pow(2, _probeCount);
                double cap = Math.Max(TimeSpan.FromSeconds(2).Ticks, Rtt.Smoothed.Ticks * 3 / 2);
                return _lastAckEliciting + new TimeSpan((long)Math.Min(wait, cap));
            }
        }

        private IEnumerable<Packet> Outstanding => _packets.Values.Where(p => p.Fate == Fate.Unknown);

        public void OnPacketSent(ulong number, Instant now, int size, SentPacketFlags flags)
        {
            _packets.Add(number, new Packet { Number = number, SentAt = now, Size = size, Flags = flags });
            if ((flags & SentPacketFlags.AckEliciting) != 0)
                _lastAckEliciting = now;
        }

        public void OnAckReceived(Instant now, PacketNumberRange[] ranges, TimeSpan delay)
        {
            Clear();
            _largestAcknowledged = Math.Max(_largestAcknowledged, (long)ranges[0].Last.Value);
            List<Packet> newly = Outstanding.Where(p => ranges.Any(r => r.Contains(new(p.Number)))).ToList();
            if (newly.Count == 0)
                return;
            foreach (Packet packet in newly)
            {
                packet.Fate = Fate.Acknowledged;
                Acknowledged.Add(packet.Number);
            }

            if (newly[^1].Number == ranges[0].Last.Value && newly.Any(p => p.IsAckEliciting))
                Rtt.AddSample(now, now - newly[^1].SentAt, delay, MaxAckDelay);
            DetectLost(now);
            _probeCount = 0;
        }

        public bool OnTimeout(Instant now)
        {
            Clear();
            if (LossTime != Instant.Never)
            {
                DetectLost(now);
                return false;
            }

            _probeCount++;
            return true;
        }

        private void Clear()
        {
            Acknowledged.Clear();
            Lost.Clear();
            IsPersistentCongestion = false;
        }

        private void DetectLost(Instant now)
        {
            LossTime = Instant.Never;
            TimeSpan delay = Rtt.LossDelay;
            List<Packet> lost = [];
            foreach (Packet packet in Outstanding.Where(p => (long)p.Number <= _largestAcknowledged).ToList())
            {
                if (packet.SentAt <= now - delay || _largestAcknowledged >= (long)packet.Number + 3)
                {
                    packet.Fate = Fate.Lost;
                    lost.Add(packet);
                    Lost.Add(packet.Number);
                }
                else
                {
                    LossTime = Instant.Min(LossTime, packet.SentAt + delay);
                }
            }

            List<Packet> counted = lost.Where(p => p.IsInFlight).ToList();
            if (counted.Count == 0)
                return;
            if (counted.Max(p => p.SentAt) > _recoveryStart)
            {
                _recoveryStart = now;
                CongestionEvents++;
            }

            IsPersistentCongestion = SpansPersistentCongestion(counted);
            if (IsPersistentCongestion)
            {
                _recoveryStart = new Instant(long.MinValue);
                Rtt.OnPersistentCongestion();
            }
        }

        private bool SpansPersistentCongestion(List<Packet> lost)
        {
            TimeSpan duration = (Rtt.Smoothed + TimeSpan.FromTicks(Math.Max(Rtt.Variation.Ticks * 4, 10_000)) + MaxAckDelay) * 3;
            List<Packet> ends = lost.Where(p => p.IsAckEliciting && p.SentAt > Rtt.FirstSampleAt).ToList();
            foreach (Packet first in ends)
            {
                foreach (Packet last in ends.Where(p => p.SentAt - first.SentAt > duration))
                {
                    if (!_packets.Values.Any(p => p.Fate == Fate.Acknowledged && p.Number > first.Number && p.Number < last.Number))
                        return true;
                }
            }

            return false;
        }

        private sealed class Packet
        {
            public required ulong Number { get; init; }

            public required Instant SentAt { get; init; }

            public required int Size { get; init; }

            public required SentPacketFlags Flags { get; init; }

            public Fate Fate { get; set; }

            public bool IsAckEliciting => (Flags & SentPacketFlags.AckEliciting) != 0;

            public bool IsInFlight => (Flags & SentPacketFlags.InFlight) != 0;
        }
    }
}
