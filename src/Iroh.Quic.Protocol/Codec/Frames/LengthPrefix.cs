namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>Space for data behind a Length field whose own length depends on it.</summary>
internal static class LengthPrefix
{
    /// <summary>The largest length such that a variable-length integer of it and that many bytes fit into <paramref name="space"/>; 0 if none.</summary>
    public static int DataLengthMax(int space)
    {
        if (space <= 1)
            return 0;
        int prefix = VarInt.Length((ulong)space);
        if (prefix == 1)
            return space - 1;
        // Just above a limit of the next shorter form, filling that form leaves more than paying for the longer one.
        int shorter = prefix / 2;
        int shorterMax = (1 << ((8 * shorter) - 2)) - 1;
        return Math.Max(space - prefix, Math.Min(space - shorter, shorterMax));
    }
}
