namespace Iroh.Cryptography.Tests;

internal static class Blake3Inputs
{
    /// <summary>The input of the official vectors: byte i is i mod 251.</summary>
    public static byte[] Repeating251(int length) => Create(length, i => (byte)(i % 251));

    public static byte[] Create(int length, Func<int, byte> byteAt)
    {
        var data = new byte[length];
        for (int i = 0; i < length; i++)
            data[i] = byteAt(i);
        return data;
    }

    public static byte[] Hash(ReadOnlySpan<byte> data)
    {
        var hash = new byte[Blake3.HashLength];
        Blake3.Hash(data, hash);
        return hash;
    }
}
