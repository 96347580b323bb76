namespace Iroh.Base.Serialization;

/// <summary>
/// Base 32 without padding in the two alphabets that iroh uses: RFC 4648 (tickets and ids, written in lower case) and
/// z-base-32 (names in DNS). Bits are taken most significant first; unused bits of the last character are zero.
/// </summary>
public static class Base32
{
    private const string Rfc4648Alphabet = "abcdefghijklmnopqrstuvwxyz234567";
    private const string ZAlphabet = "ybndrfg8ejkmcpqxot1uwisza345h769";
    private const byte Invalid = 0xff;

    private static readonly byte[] s_rfc4648Values = CreateValues(Rfc4648Alphabet, ignoreCase: true);
    private static readonly byte[] s_zValues = CreateValues(ZAlphabet, ignoreCase: false);

    /// <summary>RFC 4648 §6, lower case, no padding.</summary>
    public static string Encode(ReadOnlySpan<byte> bytes) => Encode(bytes, Rfc4648Alphabet);

    /// <summary>z-base-32, no padding.</summary>
    public static string EncodeZ(ReadOnlySpan<byte> bytes) => Encode(bytes, ZAlphabet);

    /// <summary>Reads RFC 4648 base 32 of either case without padding.</summary>
    /// <param name="text">Any length that whole bytes can have.</param>
    /// <param name="bytes">The decoded bytes, empty on failure.</param>
    /// <returns>False for a character outside the alphabet, an impossible length or trailing bits that are not zero.</returns>
    public static bool TryDecode(ReadOnlySpan<char> text, out byte[] bytes) => TryDecode(text, s_rfc4648Values, out bytes);

    /// <summary>Reads lower-case z-base-32 without padding, by the same rules as <see cref="TryDecode(ReadOnlySpan{char}, out byte[])"/>.</summary>
    public static bool TryDecodeZ(ReadOnlySpan<char> text, out byte[] bytes) => TryDecode(text, s_zValues, out bytes);

    private static string Encode(ReadOnlySpan<byte> bytes, string alphabet)
    {
        char[] text = new char[((bytes.Length * 8) + 4) / 5];
        int bits = 0, buffer = 0, written = 0;
        foreach (byte value in bytes)
        {
            buffer = (buffer << 8) | value;
            bits += 8;
            while (bits >= 5)
            {
                bits -= 5;
                text[written++] = alphabet[(buffer >> bits) & 31];
            }

            buffer &= (1 << bits) - 1;
        }

        if (bits > 0)
            text[written] = alphabet[(buffer << (5 - bits)) & 31];
        return new string(text);
    }

    private static bool TryDecode(ReadOnlySpan<char> text, byte[] values, out byte[] bytes)
    {
        bytes = [];
        // 1, 3 and 6 characters beyond a multiple of 8 leave five or more bits over: no bytes encode to that.
        if (text.Length % 8 is 1 or 3 or 6)
            return false;
        byte[] decoded = new byte[text.Length * 5 / 8];
        int bits = 0, buffer = 0, written = 0;
        foreach (char character in text)
        {
            byte value = character < values.Length ? values[character] : Invalid;
            if (value == Invalid)
                return false;
            buffer = (buffer << 5) | value;
            bits += 5;
            if (bits >= 8)
            {
                bits -= 8;
                decoded[written++] = (byte)(buffer >> bits);
                buffer &= (1 << bits) - 1;
            }
        }

        if (buffer != 0)
            return false;
        bytes = decoded;
        return true;
    }

    private static byte[] CreateValues(string alphabet, bool ignoreCase)
    {
        byte[] values = new byte[128];
        Array.Fill(values, Invalid);
        for (int i = 0; i < alphabet.Length; i++)
        {
            values[alphabet[i]] = (byte)i;
            if (ignoreCase)
                values[char.ToUpperInvariant(alphabet[i])] = (byte)i;
        }

        return values;
    }
}
