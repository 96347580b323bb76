using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.NatTraversal;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Inbound;

/// <summary>Reads the frames of iroh's NAT traversal and of our port search.</summary>
internal sealed class NatFrameDispatcher
{
    private readonly HolePunching _punching;

    public NatFrameDispatcher(HolePunching punching) => _punching = punching;

    /// <summary>Whether the type is one of NAT traversal.</summary>
    public static bool Takes(ulong type) =>
        type is (>= FrameType.AddAddressIPv4 and <= FrameType.RemoveAddress) or (>= FrameType.NatMappingIPv4 and <= FrameType.PortSearch);

    /// <summary>Handles a frame of NAT traversal.</summary>
    public TransportError? OnFrame(ref WireReader reader, ulong type, Instant now)
    {
        switch (type)
        {
            case FrameType.AddAddressIPv4 or FrameType.AddAddressIPv6 when AddAddressFrame.TryRead(ref reader, type, out AddAddressFrame add):
                return _punching.OnAddAddress(now, add);
            case FrameType.RemoveAddress when RemoveAddressFrame.TryRead(ref reader, type, out RemoveAddressFrame remove):
                return _punching.OnRemoveAddress(remove);
            case FrameType.ReachOutIPv4 or FrameType.ReachOutIPv6 when ReachOutFrame.TryRead(ref reader, type, out ReachOutFrame reachOut):
                return _punching.OnReachOut(now, reachOut);
            case FrameType.NatMappingIPv4 or FrameType.NatMappingIPv6 when NatMappingFrame.TryRead(ref reader, type, out NatMappingFrame mapping):
                return _punching.OnMapping(now, mapping);
            case FrameType.PortSearch when PortSearchFrame.TryRead(ref reader, type, out PortSearchFrame search):
                return _punching.OnSearch(now, search);
            default:
                return FrameReader.Malformed(type);
        }
    }
}
