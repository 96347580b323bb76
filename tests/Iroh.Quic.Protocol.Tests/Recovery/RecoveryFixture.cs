using Iroh.Cryptography;
using Iroh.Quic.Protocol.Paths;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Recovery;
using Iroh.Quic.Protocol.Recovery.Congestion;
using Iroh.Quic.Protocol.Spaces;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Tests.Recovery;

/// <summary>One end's loss detection with short words for what happens to it. Each packet holds one DATAGRAM frame that names its number.</summary>
internal sealed class RecoveryFixture
{
    public const int PacketSize = 1200;

    public RecoveryFixture(Side side = Side.Client, bool confirmed = true, bool validated = true, CongestionController? congestion = null)
    {
        Initial = new PacketNumberSpace(EncryptionLevel.Initial, new SeededRandomSource(1));
        Handshake = new PacketNumberSpace(EncryptionLevel.Handshake, new SeededRandomSource(2));
        Application = new PacketNumberSpace(EncryptionLevel.Application, new SeededRandomSource(3));
        Detector = new LossDetector(side, Initial, Handshake, Application);
        if (confirmed)
            Detector.OnHandshakeConfirmed();
        Path = NewPath(0, validated, congestion);
    }

    public Instant Now { get; set; } = new(1_000_000_000);

    public LossDetector Detector { get; }

    public PacketNumberSpace Initial { get; }

    public PacketNumberSpace Handshake { get; }

    public PacketNumberSpace Application { get; }

    public PathRecovery Path { get; set; }

    public RecoveryOutcome Outcome { get; } = new();

    public static PathRecovery NewPath(int generation, bool validated = true, CongestionController? congestion = null) => new(
        generation, new RttEstimator(), congestion ?? new NewReno(PacketSize), new MtuDiscovery(), new AmplificationLimit(validated));

    public PacketNumberSpace Space(EncryptionLevel level) => level switch
    {
        EncryptionLevel.Initial => Initial,
        EncryptionLevel.Handshake => Handshake,
        _ => Application,
    };

    public void Wait(double milliseconds) => Now += TimeSpan.FromMilliseconds(milliseconds);

    public PacketNumber Send(
        EncryptionLevel level = EncryptionLevel.Application,
        SentPacketFlags flags = SentPacketFlags.AckEliciting | SentPacketFlags.InFlight,
        int size = PacketSize)
    {
        PacketNumber number = Space(level).TakeNumber();
        SentFrame frame = new(SentFrameKind.Datagram, false, 0, number.Value, 0);
        Detector.OnPacketSent(level, new SentPacket(number, Now, size, Path.Generation, flags), [frame], Path);
        return number;
    }

    public PacketNumber[] SendMany(int count, EncryptionLevel level = EncryptionLevel.Application) =>
        Enumerable.Range(0, count).Select(_ => Send(level)).ToArray();

    public TransportError? TryAck(EncryptionLevel level, EcnCounts? ecn, double delayMilliseconds, params PacketNumber[] numbers)
    {
        List<PacketNumberRange> ranges = [];
        foreach (PacketNumber number in numbers.OrderByDescending(n => n.Value))
        {
            if (ranges.Count > 0 && ranges[^1].First.Value == number.Value + 1)
                ranges[^1] = new(number, ranges[^1].Last);
            else
                ranges.Add(new(number, number));
        }

        TimeSpan delay = TimeSpan.FromMilliseconds(delayMilliseconds);
        return Detector.OnAckReceived(Now, level, ranges.ToArray(), delay, ecn, Path, Outcome);
    }

    public void Ack(params PacketNumber[] numbers) => Ack(EncryptionLevel.Application, numbers);

    public void Ack(EncryptionLevel level, params PacketNumber[] numbers) => Assert.Null(TryAck(level, null, 0, numbers));

    public EncryptionLevel? Expire() => Detector.OnTimeout(Now, Path, Outcome);

    public ulong[] Acknowledged() => Numbers(Outcome.Acknowledged);

    public ulong[] Lost() => Numbers(Outcome.Lost);

    private static ulong[] Numbers(SentFrameList frames) => frames.Frames.ToArray().Select(f => f.A).ToArray();
}
