namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>
/// Frame types: RFC 9000 §19, RFC 9221 §4, draft-ietf-quic-multipath-21 §4, draft-ietf-quic-ack-frequency-07, draft-seemann-quic-address-discovery
/// and iroh's own NAT traversal. On the wire a type is a variable-length integer in its shortest form.
/// </summary>
internal static class FrameType
{
    public const ulong Padding = 0x00;
    public const ulong Ping = 0x01;
    public const ulong Ack = 0x02;
    public const ulong AckEcn = 0x03;
    public const ulong ResetStream = 0x04;
    public const ulong StopSending = 0x05;
    public const ulong Crypto = 0x06;
    public const ulong NewToken = 0x07;

    /// <summary>The first of eight STREAM types; the low three bits are flags.</summary>
    public const ulong Stream = 0x08;

    /// <summary>The last of the eight STREAM types.</summary>
    public const ulong StreamLast = 0x0f;

    /// <summary>STREAM flag: this frame ends the stream.</summary>
    public const ulong StreamFinBit = 0x01;

    /// <summary>STREAM flag: there is a Length field; without it the data runs to the end of the packet.</summary>
    public const ulong StreamLengthBit = 0x02;

    /// <summary>STREAM flag: there is an Offset field; without it the offset is 0.</summary>
    public const ulong StreamOffsetBit = 0x04;

    public const ulong MaxData = 0x10;
    public const ulong MaxStreamData = 0x11;
    public const ulong MaxStreamsBidirectional = 0x12;
    public const ulong MaxStreamsUnidirectional = 0x13;
    public const ulong DataBlocked = 0x14;
    public const ulong StreamDataBlocked = 0x15;
    public const ulong StreamsBlockedBidirectional = 0x16;
    public const ulong StreamsBlockedUnidirectional = 0x17;
    public const ulong NewConnectionId = 0x18;
    public const ulong RetireConnectionId = 0x19;
    public const ulong PathChallenge = 0x1a;
    public const ulong PathResponse = 0x1b;

    /// <summary>CONNECTION_CLOSE with a transport error code and a frame type.</summary>
    public const ulong ConnectionClose = 0x1c;

    /// <summary>CONNECTION_CLOSE with an error code of the application.</summary>
    public const ulong ApplicationClose = 0x1d;

    public const ulong HandshakeDone = 0x1e;
    public const ulong ImmediateAck = 0x1f;

    /// <summary>DATAGRAM whose data runs to the end of the packet.</summary>
    public const ulong Datagram = 0x30;

    /// <summary>DATAGRAM with a Length field.</summary>
    public const ulong DatagramWithLength = 0x31;

    /// <summary>PATH_ACK without ECN counts.</summary>
    public const ulong PathAck = 0x3e;

    /// <summary>PATH_ACK with ECN counts.</summary>
    public const ulong PathAckEcn = 0x3f;

    public const ulong AckFrequency = 0xaf;
    public const ulong PathAbandon = 0x3e75;
    public const ulong PathStatusBackup = 0x3e76;
    public const ulong PathStatusAvailable = 0x3e77;
    public const ulong PathNewConnectionId = 0x3e78;
    public const ulong PathRetireConnectionId = 0x3e79;
    public const ulong MaxPathId = 0x3e7a;
    public const ulong PathsBlocked = 0x3e7b;
    public const ulong PathCidsBlocked = 0x3e7c;
    public const ulong AddAddressIPv4 = 0x3d7f90;
    public const ulong AddAddressIPv6 = 0x3d7f91;
    public const ulong ReachOutIPv4 = 0x3d7f92;
    public const ulong ReachOutIPv6 = 0x3d7f93;
    public const ulong RemoveAddress = 0x3d7f94;
    public const ulong ObservedAddressIPv4 = 0x9f81a6;
    public const ulong ObservedAddressIPv6 = 0x9f81a7;

    /// <summary>NAT_MAPPING of IPv4. These three are our own, from a range that nobody else is known to use.</summary>
    public const ulong NatMappingIPv4 = 0x1b1a5e40;

    /// <summary>NAT_MAPPING of IPv6.</summary>
    public const ulong NatMappingIPv6 = 0x1b1a5e41;

    public const ulong PortSearch = 0x1b1a5e42;

    /// <summary>Whether the type is one of the eight forms of STREAM.</summary>
    public static bool IsStream(ulong type) => type is >= Stream and <= StreamLast;
}
