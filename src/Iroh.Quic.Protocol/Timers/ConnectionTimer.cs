namespace Iroh.Quic.Protocol.Timers;

/// <summary>The timers a connection has once, whatever the number of its paths.</summary>
internal enum ConnectionTimer
{
    /// <summary>The idle timeout (RFC 9000 §10.1).</summary>
    Idle,

    /// <summary>The end of the closing or draining state (RFC 9000 §10.2).</summary>
    Drain,

    /// <summary>All paths were given up and no new one has come (draft-ietf-quic-multipath-21 §3.4).</summary>
    NoPath,
}

/// <summary>The timers each path has.</summary>
internal enum PathTimer
{
    /// <summary>The time threshold of loss detection, or the probe timeout (RFC 9002 §6).</summary>
    LossDetection,

    /// <summary>A delayed acknowledgement of the path's 1-RTT packets is due (RFC 9000 §13.2.1).</summary>
    AckDelay,

    /// <summary>The pacer lets the next datagram go.</summary>
    Pacing,

    /// <summary>A new PATH_CHALLENGE replaces one that was not answered.</summary>
    Challenge,

    /// <summary>Validation of the path's new address has failed (RFC 9000 §8.2.4).</summary>
    Validation,

    /// <summary>Nothing was sent or received for the keep-alive interval.</summary>
    KeepAlive,

    /// <summary>Nothing arrived on the path for its idle timeout.</summary>
    Idle,

    /// <summary>Data went unanswered for so long that other paths are to carry it.</summary>
    Silence,
}
