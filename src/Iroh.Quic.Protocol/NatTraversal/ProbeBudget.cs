using Iroh.Quic.Protocol.Paths;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.NatTraversal;

/// <summary>
/// How much a peer can make this end send to addresses that are only its claim. The peer is authenticated, and may lie all the same: so it
/// pays in bytes, as RFC 9000 §8 has it for addresses that are not validated, and the number of new addresses is limited in time.
/// </summary>
internal sealed class ProbeBudget
{
    /// <summary>Addresses that may be tried in a burst: four full rounds of the default 32.</summary>
    public const int TargetsMax = 128;

    /// <summary>Addresses that may be tried per second in the long run: a round of a dozen candidates a second, more than anybody needs.</summary>
    public const int TargetsPerSecond = 16;

    /// <summary>
    /// Bytes that can be saved up: all probes of a burst of <see cref="TargetsMax"/> addresses. What a peer has sent long ago must not turn
    /// into a flood now.
    /// </summary>
    public const int BytesMax = TargetsMax * ProbeRound.TriesMax * ProbeLengthMax;

    /// <summary>The longest probe: flags, a connection id of 20 bytes, packet number, PATH_CHALLENGE, tag.</summary>
    private const int ProbeLengthMax = 1 + 20 + 4 + 9 + 16;

    private static readonly TimeSpan TargetInterval = TimeSpan.FromSeconds(1) / TargetsPerSecond;

    private long _bytes;
    private int _targets = TargetsMax;
    private Instant _refilledAt = Instant.Never;

    /// <summary>Whether a probe may leave: the peer has sent a third of what went to addresses of its naming.</summary>
    public bool AllowsProbe => _bytes >= ProbeLengthMax;

    /// <summary>A datagram arrived with a packet of the peer's that authenticated.</summary>
    public void OnReceived(int length) => _bytes = Math.Min(_bytes + ((long)length * AmplificationLimit.Factor), BytesMax);

    /// <summary>A probe left.</summary>
    public void OnProbeSent(int length) => _bytes -= length;

    /// <summary>Counts an address that is new in a round. False: there were too many in a short time, and it is not tried.</summary>
    public bool TryTakeTarget(Instant now)
    {
        if (_targets == TargetsMax || _refilledAt == Instant.Never)
            _refilledAt = now;
        long earned = (now - _refilledAt).Ticks / TargetInterval.Ticks;
        if (earned > 0)
        {
            _targets = (int)Math.Min(_targets + earned, TargetsMax);
            _refilledAt += new TimeSpan(earned * TargetInterval.Ticks);
        }

        if (_targets == 0)
            return false;
        _targets--;
        return true;
    }
}
