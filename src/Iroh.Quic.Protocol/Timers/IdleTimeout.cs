using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Timers;

/// <summary>When a connection counts as dead because nothing arrives (RFC 9000 §10.1).</summary>
internal sealed class IdleTimeout
{
    /// <summary>The timeout is at least this many probe timeouts (RFC 9000 §10.1), so that a lost packet alone does not end a connection.</summary>
    private const int ProbeTimeoutsMin = 3;

    private TimeSpan _limit;
    private bool _sentSinceReceived;

    /// <summary>Starts with this end's value.</summary>
    /// <param name="local">Zero: no limit.</param>
    public IdleTimeout(TimeSpan local) => _limit = local;

    /// <summary>The smaller of both ends' values counts; zero means that an end has none.</summary>
    public void OnPeerParameters(TimeSpan peer)
    {
        if (peer > TimeSpan.Zero && (_limit == TimeSpan.Zero || peer < _limit))
            _limit = peer;
    }

    /// <summary>A packet was processed: the timer starts anew.</summary>
    /// <returns>The new expiry.</returns>
    public Instant OnPacketReceived(Instant now, TimeSpan probeTimeout)
    {
        _sentSinceReceived = false;
        return Expiry(now, probeTimeout);
    }

    /// <summary>An ack-eliciting packet was sent: the first one since something was received starts the timer anew.</summary>
    /// <param name="now">The time of sending.</param>
    /// <param name="probeTimeout">The largest of all paths.</param>
    /// <param name="current">The present expiry.</param>
    /// <returns>The new expiry, or the present one.</returns>
    public Instant OnAckElicitingSent(Instant now, TimeSpan probeTimeout, Instant current)
    {
        if (_sentSinceReceived)
            return current;
        _sentSinceReceived = true;
        return Expiry(now, probeTimeout);
    }

    /// <summary>When the connection is given up if nothing happens from now on.</summary>
    public Instant Expiry(Instant now, TimeSpan probeTimeout)
    {
        if (_limit == TimeSpan.Zero)
            return Instant.Never;
        TimeSpan shortest = new(probeTimeout.Ticks * ProbeTimeoutsMin); // the product of a TimeSpan is made in floating point
        return now + (_limit > shortest ? _limit : shortest);
    }
}
