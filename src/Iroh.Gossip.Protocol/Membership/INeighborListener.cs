using Iroh.Base;

namespace Iroh.Gossip.Membership;

/// <summary>Hears of every change of the neighbors, at once.</summary>
internal interface INeighborListener
{
    void OnNeighborUp(TimeSpan now, EndpointId peer);

    void OnNeighborDown(EndpointId peer);
}
