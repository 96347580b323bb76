using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>ADD_ADDRESS of iroh's NAT traversal: an address at which the server, which sends the frame, may be reachable.</summary>
/// <param name="SequenceNumber">Names the address in REMOVE_ADDRESS; counts from 0.</param>
/// <param name="Address">An IP address, IPv4 if it was mapped into IPv6.</param>
internal readonly record struct AddAddressFrame(ulong SequenceNumber, NetworkAddress Address)
{
    /// <summary>Reads the fields behind the type. False: FRAME_ENCODING_ERROR.</summary>
    public static bool TryRead(scoped ref WireReader reader, ulong type, out AddAddressFrame frame)
    {
        frame = default;
        if (type is not (FrameType.AddAddressIPv4 or FrameType.AddAddressIPv6)
            || !reader.TryReadVarInt(out ulong number)
            || !AddressField.TryRead(ref reader, type == FrameType.AddAddressIPv4, out NetworkAddress address))
            return false;
        frame = new AddAddressFrame(number, address);
        return true;
    }

    /// <summary>Bytes on the wire, type included.</summary>
    public int EncodedLength => VarInt.Length(Type) + VarInt.Length(SequenceNumber) + AddressField.EncodedLength(Address);

    private ulong Type => Address.IsIPv4 ? FrameType.AddAddressIPv4 : FrameType.AddAddressIPv6;

    /// <summary>Writes type and fields.</summary>
    public void Write(ref WireWriter writer)
    {
        writer.WriteVarInt(Type);
        writer.WriteVarInt(SequenceNumber);
        AddressField.Write(ref writer, Address);
    }
}
