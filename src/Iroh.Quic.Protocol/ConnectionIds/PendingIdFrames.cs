namespace Iroh.Quic.Protocol.ConnectionIds;

/// <summary>
/// Says that one of a connection's many path ids may have a frame to send, so that those who send need not ask all of them for every packet.
/// </summary>
internal sealed class PendingIdFrames
{
    /// <summary>Whether any may have one. Whoever has asked all of them in vain takes it back.</summary>
    public bool IsAny { get; set; }
}
