using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Recovery;

/// <summary>
/// Finds out whether a 4-tuple carries ECN marks and whether the peer reports them (RFC 9000 §13.4.2, §A.4).
/// </summary>
/// <remarks>
/// Testing (the first packets are marked) → Unknown (marking pauses until one of them is acknowledged) → Capable or Failed;
/// Capable → Failed. Failed is final for the 4-tuple.
/// </remarks>
internal sealed class EcnValidator
{
    /// <summary>How many packets are marked before an answer is awaited (RFC 9000 §A.4 suggests ten).</summary>
    public const int TestingPackets = 10;

    private State _state = State.Testing;
    private int _testingSent;
    private int _testingLost;

    private enum State
    {
        Testing,
        Unknown,
        Capable,
        Failed,
    }

    /// <summary>What the next packet on the 4-tuple is to be marked with.</summary>
    public EcnCodepoint Mark => _state is State.Testing or State.Capable ? EcnCodepoint.Ect0 : EcnCodepoint.NotEct;

    /// <summary>Whether an acknowledgement has confirmed the marks.</summary>
    public bool IsCapable => _state == State.Capable;

    /// <summary>Whether marking was given up.</summary>
    public bool HasFailed => _state == State.Failed;

    /// <summary>A packet left with ECT(0).</summary>
    public void OnMarkedPacketSent()
    {
        if (_state == State.Testing && ++_testingSent == TestingPackets)
            _state = State.Unknown;
    }

    /// <summary>A packet that left with ECT(0) was lost: if all of the first were, something on the way drops marked packets.</summary>
    public void OnMarkedPacketLost()
    {
        if (_state is State.Testing or State.Unknown && ++_testingLost == TestingPackets)
            _state = State.Failed;
    }

    /// <summary>
    /// Validates an ACK that raised the largest acknowledged number and newly acknowledges packets of this 4-tuple
    /// (RFC 9000 §13.4.2.1).
    /// </summary>
    /// <param name="counts">What the ACK reports, null if it has no counts.</param>
    /// <param name="previous">What the last such ACK of the space reported.</param>
    /// <param name="newlyAcknowledged">How many packets sent with ECT(0) it newly acknowledges.</param>
    /// <param name="markedTotal">How many packets were ever sent with ECT(0) in the space.</param>
    /// <returns>True if CE marks were added: a congestion event (RFC 9002 §7.1).</returns>
    public bool OnAck(EcnCounts? counts, EcnCounts previous, ulong newlyAcknowledged, ulong markedTotal)
    {
        if (_state == State.Failed)
            return false;
        if (counts is not { } current)
        {
            // "If an ACK frame newly acknowledges a packet that the endpoint sent with either the ECT(0) or ECT(1) codepoint
            // set, ECN validation fails if the corresponding ECN counts are not present in the ACK frame."
            if (newlyAcknowledged > 0)
                _state = State.Failed;
            return false;
        }

        bool wentBack = current.Ect0 < previous.Ect0 || current.Ect1 < previous.Ect1 || current.Ce < previous.Ce;
        bool tooFew = !wentBack && current.Ect0 - previous.Ect0 + (current.Ce - previous.Ce) < newlyAcknowledged;
        bool tooMany = current.Ect0 + current.Ce > markedTotal;

        // We never send ECT(1): any count of it means that the marks are rewritten on the way.
        if (wentBack || tooFew || tooMany || current.Ect1 > 0)
        {
            _state = State.Failed;
            return false;
        }

        if (newlyAcknowledged > 0)
            _state = State.Capable;
        return current.Ce > previous.Ce;
    }
}
