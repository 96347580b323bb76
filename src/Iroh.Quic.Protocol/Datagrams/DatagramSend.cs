namespace Iroh.Quic.Protocol.Datagrams;

/// <summary>What became of a datagram that the application wants to send.</summary>
public enum DatagramSend
{
    /// <summary>Queued. It is sent once, or dropped if the path's MTU shrinks below it first.</summary>
    Ok,

    /// <summary>It can fit into no packet, or into no frame that the peer accepts.</summary>
    TooLarge,

    /// <summary>The peer takes no datagrams (RFC 9221 §3), or its parameters are not known yet.</summary>
    Unsupported,

    /// <summary>The queue is full; an event follows when it has room again.</summary>
    QueueFull,
}
