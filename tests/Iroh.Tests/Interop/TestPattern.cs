namespace Iroh.Tests.Interop;

/// <summary>The byte pattern that both sides of an interoperability test can compute: byte i is i·31 + seed + i/256, mod 256.</summary>
internal static class TestPattern
{
    public static byte[] Create(int length, int seed)
    {
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++)
            bytes[i] = (byte)((i * 31) + seed + (i >> 8));
        return bytes;
    }
}
