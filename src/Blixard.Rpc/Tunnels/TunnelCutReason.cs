namespace Blixard.Rpc.Tunnels;

/// <summary>Why a tunnel was ended before its connections did.</summary>
public enum TunnelCutReason
{
    /// <summary>The way went silent.</summary>
    PulseLost,
    /// <summary>The way's transport failed: the connection broke, or the tunnel's stream was reset.</summary>
    WayFailed,
    /// <summary>It was on gRPC, and P2P works again.</summary>
    Moved,
    /// <summary>The tunnels to this peer are given up, because the node stops or the peer left.</summary>
    Stopped,
}
