using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>REACH_OUT of iroh's NAT traversal: the client asks the server to send probes to an address, in the round of which it does so too.</summary>
/// <param name="Round">Counts the client's rounds from 1.</param>
/// <param name="Address">An IP address of the client's, IPv4 if it was mapped into IPv6.</param>
internal readonly record struct ReachOutFrame(ulong Round, NetworkAddress Address)
{
    /// <summary>Reads the fields behind the type. False: FRAME_ENCODING_ERROR.</summary>
    public static bool TryRead(scoped ref WireReader reader, ulong type, out ReachOutFrame frame)
    {
        frame = default;
        if (type is not (FrameType.ReachOutIPv4 or FrameType.ReachOutIPv6)
            || !reader.TryReadVarInt(out ulong number)
            || !AddressField.TryRead(ref reader, type == FrameType.ReachOutIPv4, out NetworkAddress address))
            return false;
        frame = new ReachOutFrame(number, address);
        return true;
    }

    /// <summary>Bytes on the wire, type included.</summary>
    public int EncodedLength => VarInt.Length(Type) + VarInt.Length(Round) + AddressField.EncodedLength(Address);

    private ulong Type => Address.IsIPv4 ? FrameType.ReachOutIPv4 : FrameType.ReachOutIPv6;

    /// <summary>Writes type and fields.</summary>
    public void Write(ref WireWriter writer)
    {
        writer.WriteVarInt(Type);
        writer.WriteVarInt(Round);
        AddressField.Write(ref writer, Address);
    }
}
