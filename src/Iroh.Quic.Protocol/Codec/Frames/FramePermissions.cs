using Iroh.Quic.Protocol.Primitives;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>Which frame may be where, and what a packet that holds it counts as (RFC 9000 §12.4, table 3; RFC 9221 §4).</summary>
/// <remarks>Whether an extension was negotiated is the matter of the room that takes its frames.</remarks>
internal static class FramePermissions
{
    [Flags]
    private enum Rules : byte
    {
        Unknown = 0,
        Initial = 1,
        Handshake = 2,
        OneRtt = 4,
        AckEliciting = 8,
        Probing = 16,
        ServerOnly = 32,
        ClientOnly = 64,
        Everywhere = Initial | Handshake | OneRtt,
    }

    /// <summary>What is wrong with a frame of this type, or null.</summary>
    /// <param name="type">As read.</param>
    /// <param name="level">The level of the packet that holds the frame.</param>
    /// <param name="sender">Who sent it.</param>
    /// <returns>FRAME_ENCODING_ERROR for an unknown type, PROTOCOL_VIOLATION for one in the wrong packet or of the wrong side.</returns>
    public static TransportError? Check(ulong type, EncryptionLevel level, Side sender)
    {
        Rules rules = RulesOf(type);
        Rules needed = level switch
        {
            EncryptionLevel.Initial => Rules.Initial,
            EncryptionLevel.Handshake => Rules.Handshake,
            _ => Rules.OneRtt,
        };
        Rules forbidden = sender == Side.Server ? Rules.ClientOnly : Rules.ServerOnly;
        if ((rules & needed) != 0 && (rules & forbidden) == 0)
            return null;
        if (rules == Rules.Unknown)
            return new TransportError(TransportErrorCode.FrameEncodingError, type, $"Frame type 0x{type:x} is unknown.");
        return (rules & needed) == 0
            ? new TransportError(TransportErrorCode.ProtocolViolation, type, $"Frame type 0x{type:x} is not allowed at level {level}.")
            : new TransportError(TransportErrorCode.ProtocolViolation, type, $"A {(sender == Side.Server ? "server" : "client")} does not send frame type 0x{type:x}.");
    }

    /// <summary>Whether a packet that holds such a frame is to be acknowledged (RFC 9002 §2); false for unknown types.</summary>
    public static bool IsAckEliciting(ulong type) => (RulesOf(type) & Rules.AckEliciting) != 0;

    /// <summary>Whether a packet of only such frames probes a path and does not move the connection there (RFC 9000 §9.1).</summary>
    public static bool IsProbing(ulong type) => (RulesOf(type) & Rules.Probing) != 0;

    private static Rules RulesOf(ulong type) => type switch
    {
        FrameType.Padding => Rules.Everywhere | Rules.Probing,
        FrameType.Ping => Rules.Everywhere | Rules.AckEliciting,
        FrameType.Ack or FrameType.AckEcn => Rules.Everywhere,
        FrameType.Crypto => Rules.Everywhere | Rules.AckEliciting,
        FrameType.NewToken or FrameType.HandshakeDone => Rules.OneRtt | Rules.AckEliciting | Rules.ServerOnly,
        FrameType.NewConnectionId or FrameType.PathChallenge or FrameType.PathResponse
            => Rules.OneRtt | Rules.AckEliciting | Rules.Probing,
        FrameType.ConnectionClose => Rules.Everywhere,
        FrameType.ApplicationClose => Rules.OneRtt,
        <= FrameType.RetireConnectionId or FrameType.Datagram or FrameType.DatagramWithLength
            => Rules.OneRtt | Rules.AckEliciting,
        FrameType.PathAck or FrameType.PathAckEcn => Rules.OneRtt,
        FrameType.ImmediateAck or FrameType.AckFrequency
            or FrameType.NatMappingIPv4 or FrameType.NatMappingIPv6 or FrameType.PortSearch => Rules.OneRtt | Rules.AckEliciting,
        FrameType.ObservedAddressIPv4 or FrameType.ObservedAddressIPv6 or FrameType.PathNewConnectionId
            => Rules.OneRtt | Rules.AckEliciting | Rules.Probing,
        >= FrameType.PathAbandon and <= FrameType.PathCidsBlocked => Rules.OneRtt | Rules.AckEliciting,
        FrameType.AddAddressIPv4 or FrameType.AddAddressIPv6 or FrameType.RemoveAddress
            => Rules.OneRtt | Rules.AckEliciting | Rules.ServerOnly,
        FrameType.ReachOutIPv4 or FrameType.ReachOutIPv6 => Rules.OneRtt | Rules.AckEliciting | Rules.ClientOnly,
        _ => Rules.Unknown,
    };
}
