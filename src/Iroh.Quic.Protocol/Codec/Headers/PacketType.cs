namespace Iroh.Quic.Protocol.Codec.Headers;

/// <summary>What the first bytes of a packet say it is (RFC 9000 §17).</summary>
internal enum PacketType : byte
{
    /// <summary>Long header, type 0.</summary>
    Initial,

    /// <summary>Long header, type 1.</summary>
    ZeroRtt,

    /// <summary>Long header, type 2.</summary>
    Handshake,

    /// <summary>Long header, type 3: no packet number, an integrity tag at its end.</summary>
    Retry,

    /// <summary>Long header with version 0.</summary>
    VersionNegotiation,

    /// <summary>Short header.</summary>
    OneRtt,

    /// <summary>Long header of a version that is not spoken here; only the ids are known (RFC 8999 §5.1).</summary>
    UnknownVersion,
}
