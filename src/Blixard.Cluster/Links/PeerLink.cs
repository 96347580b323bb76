using Blixard.V1;
using Iroh;
using Iroh.Base;

namespace Blixard.Cluster.Links;

/// <summary>What the connector keeps for one member. Everything under the connector's lock.</summary>
internal sealed class PeerLink(EndpointId id, LinkMachine machine)
{
    public EndpointId Id { get; } = id;

    public LinkMachine Machine { get; } = machine;

    public Member Member { get; set; } = new();

    /// <summary>Where to dial; null if its record has no address.</summary>
    public Iroh.Base.EndpointAddress? Address { get; set; }

    /// <summary>Its connections that stand, by number: the one in use, a challenger, those being closed.</summary>
    public Dictionary<long, LinkSession> Sessions { get; } = [];

    /// <summary>Set when the member left; a dial that ends later finds no link.</summary>
    public bool IsGone { get; set; }

    public LinkState ShownState { get; set; }

    public DateTimeOffset Since { get; set; }

    public long Dials { get; set; }

    public long FailedDials { get; set; }
}

/// <summary>One connection of a link after its hellos.</summary>
internal sealed record LinkSession(long Number, IrohConnection Connection, ControlStream Control);
