using Iroh.Cryptography;
using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Tests.Codec;

/// <summary>Reproducible inputs for readers: random values for valid messages, and what a network or an attacker makes of them.</summary>
internal static class FuzzInput
{
    /// <summary>A number whose length is as random as its value, so that every form of a variable-length integer occurs.</summary>
    public static ulong VarIntValue(this RandomSource random) => random.NextUInt64() & VarInt.Max >> (int)random.NextBelow(62);

    public static byte[] Bytes(this RandomSource random, int length)
    {
        byte[] bytes = new byte[length];
        random.Fill(bytes);
        return bytes;
    }

    public static byte[] BytesUpTo(this RandomSource random, int lengthMax) =>
        random.Bytes((int)random.NextBelow((ulong)lengthMax + 1));

    public static bool Coin(this RandomSource random) => (random.NextUInt64() & 1) != 0;

    public static ConnectionId Id(this RandomSource random, int lengthMin = 0) =>
        new(random.Bytes(lengthMin + (int)random.NextBelow((ulong)(ConnectionId.MaxLength - lengthMin + 1))));

    /// <summary>Sometimes plain noise, mostly a valid message with some bytes changed, cut off or added.</summary>
    public static byte[] Mutate(this RandomSource random, ReadOnlySpan<byte> valid)
    {
        if (random.NextBelow(8) == 0)
            return random.BytesUpTo(64);
        byte[] bytes = valid.ToArray();
        switch (random.NextBelow(6))
        {
            case 0:
                break;
            case 1:
                Array.Resize(ref bytes, (int)random.NextBelow((ulong)bytes.Length + 1));
                break;
            case 2:
                bytes = [.. bytes, .. random.BytesUpTo(16)];
                break;
            default:
                for (ulong i = random.NextBelow(4); i > 0 && bytes.Length > 0; i--)
                    bytes[random.NextBelow((ulong)bytes.Length)] = random.Coin() ? (byte)random.NextUInt64() : (byte)0xff;
                break;
        }

        return bytes;
    }
}
