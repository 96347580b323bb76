namespace Iroh.Quic.Protocol.Paths;

/// <summary>
/// Before an address is validated, no more than three times the bytes received from it are sent to it (RFC 9000 §8.1).
/// </summary>
internal sealed class AmplificationLimit
{
    /// <summary>Bytes sent per byte received at most (RFC 9000 §8).</summary>
    public const int Factor = 3;

    private readonly int _datagramMin;
    private long _received;
    private long _sent;

    /// <summary>Starts limiting, unless the address needs no validation: a client's own choice of server (RFC 9000 §8.1).</summary>
    /// <param name="isValidated">Whether nothing is limited.</param>
    /// <param name="datagramMin">
    /// The smallest datagram, in bytes, that is worth sending: with less budget than that the limit counts as reached, so that no timer
    /// runs for what cannot leave. A handshake needs datagrams of 1200 bytes.
    /// </param>
    public AmplificationLimit(bool isValidated, int datagramMin = 1)
    {
        IsValidated = isValidated;
        _datagramMin = datagramMin;
    }

    /// <summary>Whether the address is known to be the peer's, and nothing is limited.</summary>
    public bool IsValidated { get; private set; }

    /// <summary>Bytes of UDP payload that may still be sent; <see cref="long.MaxValue"/> once validated.</summary>
    public long Budget => IsValidated ? long.MaxValue : Math.Max(0, (_received * Factor) - _sent);

    /// <summary>
    /// Whether the limit stops a sender that would like to send; its probe timer is off until more arrives
    /// (RFC 9002 §6.2.2.1).
    /// </summary>
    public bool IsExhausted => Budget < _datagramMin;

    /// <summary>Counts a whole datagram that was attributed to the connection, before its packets are looked at.</summary>
    public void OnDatagramReceived(int bytes) => _received += bytes;

    /// <summary>Counts a datagram that was sent to the address.</summary>
    public void OnDatagramSent(int bytes) => _sent += bytes;

    /// <summary>
    /// The peer proved that it is there: a Handshake packet, a token, or a PATH_RESPONSE (RFC 9000 §8.1, §8.2).
    /// </summary>
    public void OnValidated() => IsValidated = true;
}
