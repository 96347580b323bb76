using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.AddressDiscovery;

/// <summary>What both ends have told each other of the addresses they see on one path.</summary>
internal sealed class PathObservations
{
    private NetworkAddress _reported;
    private ulong _reportedAs;
    private ulong? _highestReceived;

    /// <summary>What the peer has reported last, unspecified if nothing: how it sees this end.</summary>
    public NetworkAddress Received { get; private set; }

    /// <summary>Whether the peer, seen at this address, has yet to be told so.</summary>
    public bool IsReportOwed(NetworkAddress remote) => remote != _reported;

    /// <summary>A report left.</summary>
    public void OnReportSent(in ObservedAddressFrame frame) => (_reported, _reportedAs) = (frame.Address, frame.SequenceNumber);

    /// <summary>A report was lost: unless a later one has left, the address is told again.</summary>
    public void OnReportLost(ulong sequenceNumber)
    {
        if (sequenceNumber == _reportedAs)
            _reported = default;
    }

    /// <summary>A report arrived. True if it is news: later than all before, of an address one can send to, and another one than before.</summary>
    public bool OnReport(in ObservedAddressFrame frame)
    {
        if (frame.SequenceNumber <= _highestReceived)
            return false;
        _highestReceived = frame.SequenceNumber;
        if (!AddressRules.IsReachable(frame.Address) || frame.Address == Received)
            return false;
        Received = frame.Address;
        return true;
    }
}
