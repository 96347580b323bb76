namespace Iroh.Quic.Protocol.Outbound;

/// <summary>Control frames that are owed to the peer and belong to no other room.</summary>
internal sealed class PendingFrames
{
    /// <summary>A server tells once that the handshake is confirmed, and again if that is lost (RFC 9000 §19.20).</summary>
    public bool HandshakeDone { get; set; }
}
