using Iroh.Cryptography;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Outbound;

/// <summary>The header fields that are the same for all packets of a connection, or mean nothing.</summary>
internal sealed class HeaderFields
{
    private readonly RandomSource _random;
    private ulong _spinBits;
    private int _spinBitsLeft;

    /// <summary>Starts without a token.</summary>
    public HeaderFields(in ConnectionId sourceId, RandomSource random)
    {
        SourceId = sourceId;
        _random = random;
    }

    /// <summary>This end's connection id in long headers.</summary>
    public ConnectionId SourceId { get; }

    /// <summary>The token that a client repeats in all its Initial packets after a Retry (RFC 9000 §8.1.2), otherwise empty.</summary>
    public ReadOnlyMemory<byte> Token { get; set; }

    /// <summary>The spin bit is disabled: it has a random value in each packet (RFC 9000 §17.4).</summary>
    public bool NextSpinBit()
    {
        if (_spinBitsLeft == 0)
        {
            _spinBits = _random.NextUInt64();
            _spinBitsLeft = 64;
        }

        _spinBitsLeft--;
        bool bit = (_spinBits & 1) != 0;
        _spinBits >>= 1;
        return bit;
    }
}
