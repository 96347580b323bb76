namespace Iroh.Docs.Store;

/// <summary>Places in the order of keys.</summary>
internal static class KeyOrder
{
    /// <summary>The first key after all that begin with <paramref name="prefix"/>; null if there is none.</summary>
    internal static byte[]? AfterPrefix(ReadOnlySpan<byte> prefix)
    {
        int length = prefix.Length;
        while (length > 0 && prefix[length - 1] == byte.MaxValue)
            length--;
        if (length == 0)
            return null;
        byte[] next = prefix[..length].ToArray();
        next[^1]++;
        return next;
    }
}
