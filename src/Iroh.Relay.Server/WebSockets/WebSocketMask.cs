using System.Numerics;

namespace Iroh.Relay.Server.WebSockets;

/// <summary>The mask over everything a client sends (RFC 6455 §5.3).</summary>
internal static class WebSocketMask
{
    /// <summary>Copies bytes and takes the mask off on the way.</summary>
    /// <param name="source">Masked bytes.</param>
    /// <param name="destination">At least as long.</param>
    /// <param name="mask">The mask for the first byte of <paramref name="source"/>, little-endian.</param>
    /// <returns>The mask for the byte after the last.</returns>
    public static uint Copy(ReadOnlySpan<byte> source, Span<byte> destination, uint mask)
    {
        int i = 0;
        if (source.Length >= Vector<byte>.Count)
        {
            Vector<byte> pattern = Vector.AsVectorByte(new Vector<uint>(mask));
            for (; i <= source.Length - Vector<byte>.Count; i += Vector<byte>.Count)
                (new Vector<byte>(source[i..]) ^ pattern).CopyTo(destination[i..]);
        }

        for (; i < source.Length; i++)
            destination[i] = (byte)(source[i] ^ (mask >> (8 * (i & 3))));
        return BitOperations.RotateRight(mask, 8 * (source.Length & 3));
    }
}
