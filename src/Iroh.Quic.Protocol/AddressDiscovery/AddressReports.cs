namespace Iroh.Quic.Protocol.AddressDiscovery;

/// <summary>
/// An end's part in address discovery (draft-seemann-quic-address-discovery). Reports flow from one end to the other when the one
/// provides and the other receives them.
/// </summary>
[Flags]
public enum AddressReports
{
    /// <summary>No part.</summary>
    None = 0,

    /// <summary>Tells the peer the address that its datagrams come from.</summary>
    Provide = 1,

    /// <summary>Wants to be told.</summary>
    Receive = 2,

    /// <summary>Both.</summary>
    Both = Provide | Receive,
}
