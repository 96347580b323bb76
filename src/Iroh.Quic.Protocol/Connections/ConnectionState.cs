using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Connections;

/// <summary>
/// The life of a connection and why it ended.
/// <code>
/// Handshaking --CompleteHandshake--> Established
/// Handshaking, Established --Close--> Closing      a CONNECTION_CLOSE is owed, and again for packets that still arrive
/// Handshaking, Established, Closing --ReceiveClose--> Draining      one CONNECTION_CLOSE may be owed as the answer
/// Closing, Draining --EndDraining--> Drained      after three probe timeouts
/// any --Abandon--> Drained      idle timeout, stateless reset, version mismatch: nothing is sent
/// </code>
/// </summary>
internal sealed class ConnectionState
{
    private ulong _packetsSinceClose;
    private ulong _packetsPerClose = 1;

    /// <summary>Where the connection is.</summary>
    public ConnectionPhase Phase { get; private set; }

    /// <summary>Why it ended; null while it lives. The first reason stays.</summary>
    public CloseReason? Reason { get; private set; }

    /// <summary>Whether the handshake is confirmed (RFC 9001 §4.1.2).</summary>
    public bool IsConfirmed { get; private set; }

    /// <summary>Whether the handshake was completed, also after the connection has ended.</summary>
    public bool IsHandshakeComplete { get; private set; }

    /// <summary>Whether frames are processed and sent.</summary>
    public bool IsOpen => Phase <= ConnectionPhase.Established;

    /// <summary>Whether a packet with CONNECTION_CLOSE should be sent now.</summary>
    public bool OwesClose { get; private set; }

    /// <summary>What that CONNECTION_CLOSE says; the answer to a peer's close says NO_ERROR.</summary>
    public CloseReason? CloseToSend { get; private set; }

    /// <summary>Handshaking to Established.</summary>
    public void CompleteHandshake()
    {
        if (Phase == ConnectionPhase.Handshaking)
            Phase = ConnectionPhase.Established;
        IsHandshakeComplete = true;
    }

    /// <summary>Remembers that the handshake is confirmed; returns false if that was known.</summary>
    public bool Confirm()
    {
        bool first = !IsConfirmed;
        IsConfirmed = true;
        return first;
    }

    /// <summary>This end closes. Returns false if the connection had already ended.</summary>
    public bool Close(CloseReason reason)
    {
        if (!IsOpen)
            return false;
        Phase = ConnectionPhase.Closing;
        Reason = CloseToSend = reason;
        OwesClose = true;
        return true;
    }

    /// <summary>
    /// A CONNECTION_CLOSE arrived. One packet with NO_ERROR answers it so that the peer need not wait (RFC 9000 §10.2.2), unless this
    /// end had sent its own close before. Returns false if the connection was draining already.
    /// </summary>
    public bool ReceiveClose(CloseReason reason)
    {
        if (Phase >= ConnectionPhase.Draining)
            return false;
        OwesClose |= IsOpen;
        CloseToSend = new CloseReason(CloseCause.LocalTransport, TransportErrorCode.NoError, 0, default);
        Reason ??= reason;
        Phase = ConnectionPhase.Draining;
        return true;
    }

    /// <summary>
    /// A packet arrived while closing: the close is repeated for the 1st, 3rd, 7th, ... of them, so that two ends or a replaying
    /// attacker never keep each other busy (RFC 9000 §10.2.1).
    /// </summary>
    public void OnPacketWhileClosing()
    {
        if (Phase != ConnectionPhase.Closing || ++_packetsSinceClose < _packetsPerClose)
            return;
        _packetsSinceClose = 0;
        _packetsPerClose = Math.Min(_packetsPerClose * 2, uint.MaxValue);
        OwesClose = true;
    }

    /// <summary>The CONNECTION_CLOSE that was owed has been sent.</summary>
    public void OnCloseSent() => OwesClose = false;

    /// <summary>The closing or draining period is over.</summary>
    public void EndDraining()
    {
        Phase = ConnectionPhase.Drained;
        OwesClose = false;
    }

    /// <summary>Ends the connection without a word to the peer. Returns false if it had ended already.</summary>
    public bool Abandon(CloseReason reason)
    {
        if (Phase == ConnectionPhase.Drained)
            return false;
        Reason ??= reason;
        EndDraining();
        return true;
    }
}
