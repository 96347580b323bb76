using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>OBSERVED_ADDRESS (draft-seemann-quic-address-discovery): where the sender sees the datagrams of the receiver come from.</summary>
/// <param name="SequenceNumber">Counts the sender's reports over all paths from 0; of a path the largest one holds.</param>
/// <param name="Address">An IP address, IPv4 if it was mapped into IPv6.</param>
internal readonly record struct ObservedAddressFrame(ulong SequenceNumber, NetworkAddress Address)
{
    /// <summary>Reads the fields behind the type. False: FRAME_ENCODING_ERROR.</summary>
    public static bool TryRead(scoped ref WireReader reader, ulong type, out ObservedAddressFrame frame)
    {
        frame = default;
        if (type is not (FrameType.ObservedAddressIPv4 or FrameType.ObservedAddressIPv6)
            || !reader.TryReadVarInt(out ulong number)
            || !AddressField.TryRead(ref reader, type == FrameType.ObservedAddressIPv4, out NetworkAddress address))
            return false;
        frame = new ObservedAddressFrame(number, address);
        return true;
    }

    /// <summary>Bytes on the wire, type included.</summary>
    public int EncodedLength => VarInt.Length(Type) + VarInt.Length(SequenceNumber) + AddressField.EncodedLength(Address);

    private ulong Type => Address.IsIPv4 ? FrameType.ObservedAddressIPv4 : FrameType.ObservedAddressIPv6;

    /// <summary>Writes type and fields.</summary>
    public void Write(ref WireWriter writer)
    {
        writer.WriteVarInt(Type);
        writer.WriteVarInt(SequenceNumber);
        AddressField.Write(ref writer, Address);
    }
}
