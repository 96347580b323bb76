namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>Space for data behind a Length field whose own length depends on it.</summary>
internal static class LengthPrefix
{
    /// <summary>The largest length such that a variable-length integer of it and that many bytes fit into <paramref name="space"/>; 0 if none.</summary>
    public static int DataLengthMax(int space)
    {
        if (space <= 1)
            return 0;
        // One byte more of prefix pays only when the data is then longer than the shorter prefix could say.
        int length = space - VarInt.Length((ulong)space);
        int withShorterPrefix = space - VarInt.Length((ulong)length);
        return VarInt.Length((ulong)withShorterPrefix) + withShorterPrefix <= space ? withShorterPrefix : length;
    }
}
