namespace Iroh.Quic.Protocol.Connections;

/// <summary>Where a connection is in its life. It moves down this list only, and may skip.</summary>
public enum ConnectionPhase
{
    /// <summary>The handshake is not complete.</summary>
    Handshaking,

    /// <summary>The handshake is complete; data flows.</summary>
    Established,

    /// <summary>This end has closed and repeats CONNECTION_CLOSE to a peer that has not noticed (RFC 9000 §10.2.1).</summary>
    Closing,

    /// <summary>The other end has closed; nothing is sent any more (RFC 9000 §10.2.2).</summary>
    Draining,

    /// <summary>Nothing is left to do.</summary>
    Drained,
}
