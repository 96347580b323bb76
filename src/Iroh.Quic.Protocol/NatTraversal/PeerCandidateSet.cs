using Iroh.Quic.Protocol.AddressDiscovery;
using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.NatTraversal;

/// <summary>The addresses at which a server says it may be reached, by the sequence numbers of ADD_ADDRESS. Its claims, and no more of them than agreed.</summary>
internal sealed class PeerCandidateSet
{
    private readonly SortedDictionary<ulong, NetworkAddress> _bySequence = [];
    private readonly int _max;

    /// <summary>Creates an empty set.</summary>
    /// <param name="max">How many addresses this end told the server it would hold.</param>
    public PeerCandidateSet(int max) => _max = max;

    /// <summary>The addresses in the order in which the server named them.</summary>
    public IReadOnlyCollection<NetworkAddress> Addresses => _bySequence.Values;

    /// <summary>
    /// ADD_ADDRESS arrived. False if it changes nothing: it was known, cannot be sent to, or is one more than agreed. Another address under
    /// a known number takes its place.
    /// </summary>
    public bool Add(in AddAddressFrame frame)
    {
        bool isKnown = _bySequence.TryGetValue(frame.SequenceNumber, out NetworkAddress before);
        if (before == frame.Address || (!isKnown && _bySequence.Count >= _max) || !AddressRules.IsReachable(frame.Address))
            return false;
        _bySequence[frame.SequenceNumber] = frame.Address;
        return true;
    }

    /// <summary>REMOVE_ADDRESS arrived. False if no such address is known.</summary>
    public bool Remove(in RemoveAddressFrame frame, out NetworkAddress address) => _bySequence.Remove(frame.SequenceNumber, out address);
}
