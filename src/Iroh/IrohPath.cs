using Iroh.Base;

namespace Iroh;

/// <summary>How the packets of a connection travel.</summary>
public enum IrohPathKind
{
    /// <summary>UDP straight to the peer.</summary>
    Direct,

    /// <summary>Over a relay, which cannot read them.</summary>
    Relay,
}

/// <summary>One of the ways between the two ends of a connection.</summary>
/// <param name="Kind">How packets travel on it.</param>
/// <param name="Remote">The peer's address, or its relay.</param>
/// <param name="RoundTripTime">The smoothed round trip time of acknowledged packets.</param>
/// <param name="IsSelected">Whether this end sends its data there; if not, it is a backup.</param>
public sealed record IrohPath(IrohPathKind Kind, TransportAddress Remote, TimeSpan RoundTripTime, bool IsSelected)
{
    /// <summary>The peer's address, or the URL of its relay, without the kind in front.</summary>
    public string RemoteText => Remote switch
    {
        IpTransportAddress ip => ip.EndPoint.ToString(),
        RelayTransportAddress relay => relay.Url.ToString(),
        _ => Remote.ToString()!,
    };
}
