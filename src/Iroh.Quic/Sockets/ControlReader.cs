using System.Runtime.InteropServices;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Sockets;

/// <summary>
/// Reads the control messages of one received message: local address, ECN bits and, for joined datagrams, their size.
/// </summary>
/// <param name="bound">The address the socket is bound to.</param>
/// <param name="boundToAny">Whether that is the unspecified address, so that each datagram names its own.</param>
/// <param name="payloadLength">Length of the message; it is one datagram unless a control message says otherwise.</param>
internal ref struct ControlReader(NetworkAddress bound, bool boundToAny, int payloadLength)
{
    private const int HeaderLength = 16;

    /// <summary>The address the datagram was sent to; unspecified if the kernel does not say.</summary>
    public NetworkAddress Local { get; private set; } = boundToAny ? default : bound;

    /// <summary>The ECN bits.</summary>
    public EcnCodepoint Ecn { get; private set; }

    /// <summary>Length of each datagram but the last; at least 1.</summary>
    public int SegmentSize { get; private set; } = Math.Max(payloadLength, 1);

    /// <summary>Takes over what the messages in <paramref name="control"/> say; one that is cut short ends the reading.</summary>
    public void Read(ReadOnlySpan<byte> control)
    {
        while (control.Length >= HeaderLength)
        {
            var header = MemoryMarshal.Read<LibC.ControlHeader>(control);
            if (header.Length < HeaderLength || header.Length > (nuint)control.Length)
                return;
            int length = (int)header.Length;
            Take(header.Level, header.Type, control[HeaderLength..length]);
            control = control[Math.Min(control.Length, (length + 7) & ~7)..];
        }
    }

    private void Take(int level, int type, ReadOnlySpan<byte> data)
    {
        switch (level, type)
        {
            case (LibC.SOL_IP, LibC.IP_TOS) when data.Length >= 1:
            case (LibC.SOL_IPV6, LibC.IPV6_TCLASS) when data.Length >= 4:
                // One byte for IPv4; for IPv6 an int whose low byte comes first on the little-endian systems .NET runs on.
                Ecn = (EcnCodepoint)(data[0] & 3);
                break;
            case (LibC.SOL_IP, LibC.IP_PKTINFO) when boundToAny && data.Length >= 12:
                Local = NetworkAddress.FromIPv4(data.Slice(4, 4), bound.Port);
                break;
            case (LibC.SOL_IPV6, LibC.IPV6_PKTINFO) when boundToAny && data.Length >= 20:
                // The interface matters for link-local addresses (fe80::/10) only.
                bool linkLocal = data[0] == 0xfe && (data[1] & 0xc0) == 0x80;
                Local = NetworkAddress.FromIPv6(data[..16], bound.Port, linkLocal ? MemoryMarshal.Read<uint>(data[16..]) : 0);
                break;
            case (LibC.SOL_UDP, LibC.UDP_GRO) when data.Length >= 4:
                SegmentSize = Math.Max(1, MemoryMarshal.Read<int>(data));
                break;
        }
    }
}
