namespace Iroh.NetReport.Diagnosis;

/// <summary>What kind of network a machine is in, as far as connections between peers are concerned.</summary>
public enum NetworkKind
{
    /// <summary>Not found out: nobody was asked who could tell.</summary>
    Unknown,

    /// <summary>No address but loopback.</summary>
    Loopback,

    /// <summary>There are addresses, but nobody that was asked answered.</summary>
    Unreachable,

    /// <summary>Somebody answers in the name of others until one logs in.</summary>
    CaptivePortal,

    /// <summary>Relays answer, UDP does not get through.</summary>
    UdpBlocked,

    /// <summary>Servers outside see an address of this machine: no NAT.</summary>
    Open,

    /// <summary>A NAT with one mapping for all destinations (RFC 4787: endpoint-independent mapping).</summary>
    EasyNat,

    /// <summary>A NAT with a mapping for each destination (RFC 4787: address-dependent mapping), also called symmetric.</summary>
    HardNat,

    /// <summary>A NAT of which is not known whether its mapping varies, as only one server told what it saw.</summary>
    SomeNat,
}

/// <summary>Whether direct connections are to be expected.</summary>
public enum DirectOutlook
{
    /// <summary>Not found out.</summary>
    Unknown,

    /// <summary>With practically every peer.</summary>
    Expected,

    /// <summary>With peers whose NAT is not of the same hard kind; with those that are, by search or by relay.</summary>
    Likely,

    /// <summary>With peers in the same network only; with all others by relay.</summary>
    LocalOnly,

    /// <summary>With nobody beyond this machine.</summary>
    None,
}
