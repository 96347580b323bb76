using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>
/// NAT_MAPPING, an extension of our own (docs/decisions/0013-port-search.md): how the sender's NAT maps its socket, as far as it found out.
/// </summary>
/// <param name="SequenceNumber">The frame with the largest number holds; counts from 1.</param>
/// <param name="VariesByDestination">Whether each destination sees another port.</param>
/// <param name="Address">Where the socket appears; of one that varies by destination only the IP address means something.</param>
internal readonly record struct NatMappingFrame(ulong SequenceNumber, bool VariesByDestination, NetworkAddress Address)
{
    /// <summary>Reads the fields behind the type. False: FRAME_ENCODING_ERROR.</summary>
    public static bool TryRead(scoped ref WireReader reader, ulong type, out NatMappingFrame frame)
    {
        frame = default;
        if (type is not (FrameType.NatMappingIPv4 or FrameType.NatMappingIPv6)
            || !reader.TryReadVarInt(out ulong number)
            || !reader.TryReadByte(out byte varies)
            || varies > 1
            || !AddressField.TryRead(ref reader, type == FrameType.NatMappingIPv4, out NetworkAddress address))
            return false;
        frame = new NatMappingFrame(number, varies == 1, address);
        return true;
    }

    /// <summary>Bytes on the wire, type included.</summary>
    public int EncodedLength => VarInt.Length(Type) + VarInt.Length(SequenceNumber) + 1 + AddressField.EncodedLength(Address);

    private ulong Type => Address.IsIPv4 ? FrameType.NatMappingIPv4 : FrameType.NatMappingIPv6;

    /// <summary>Writes type and fields.</summary>
    public void Write(ref WireWriter writer)
    {
        writer.WriteVarInt(Type);
        writer.WriteVarInt(SequenceNumber);
        writer.WriteByte(VariesByDestination ? (byte)1 : (byte)0);
        AddressField.Write(ref writer, Address);
    }
}
