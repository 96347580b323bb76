using System.Buffers.Binary;

namespace Iroh.Cryptography;

/// <summary>
/// A number mod p = 2^255 - 19 in five limbs of 51 bits, as far as <see cref="Ed25519Point"/> needs it. For public values
/// only: nothing here is made to run in constant time. Limbs stay below 2^52 between operations.
/// </summary>
internal readonly struct FieldElement
{
    private const ulong LimbMask = (1UL << 51) - 1;

    // 4p, added before a subtraction so that no limb goes below zero.
    private const ulong FourPLow = (LimbMask - 18) << 2;
    private const ulong FourPHigh = LimbMask << 2;

    private readonly ulong _l0, _l1, _l2, _l3, _l4;

    private FieldElement(ulong l0, ulong l1, ulong l2, ulong l3, ulong l4) =>
        (_l0, _l1, _l2, _l3, _l4) = (l0, l1, l2, l3, l4);

    internal static FieldElement One { get; } = new(1, 0, 0, 0, 0);

    /// <summary>Reads 32 bytes, little-endian, without the highest bit; values from p on are taken mod p.</summary>
    internal static FieldElement Read(ReadOnlySpan<byte> bytes)
    {
        ulong w0 = BinaryPrimitives.ReadUInt64LittleEndian(bytes);
        ulong w1 = BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]);
        ulong w2 = BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]);
        ulong w3 = BinaryPrimitives.ReadUInt64LittleEndian(bytes[24..]);
        return new FieldElement(
            w0 & LimbMask,
            ((w0 >> 51) | (w1 << 13)) & LimbMask,
            ((w1 >> 38) | (w2 << 26)) & LimbMask,
            ((w2 >> 25) | (w3 << 39)) & LimbMask,
            (w3 >> 12) & LimbMask);
    }

    public static FieldElement operator +(FieldElement a, FieldElement b) =>
        Carry(a._l0 + b._l0, a._l1 + b._l1, a._l2 + b._l2, a._l3 + b._l3, a._l4 + b._l4);

    public static FieldElement operator -(FieldElement a, FieldElement b) => Carry(
        a._l0 + FourPLow - b._l0,
        a._l1 + FourPHigh - b._l1,
        a._l2 + FourPHigh - b._l2,
        a._l3 + FourPHigh - b._l3,
        a._l4 + FourPHigh - b._l4);

    public static FieldElement operator *(FieldElement a, FieldElement b)
    {
        // 2^255 = 19 mod p: products beyond the fifth limb come back 19 times. With limbs below 2^52 five products stay below
        // 2^112, and what is carried out of the last limb, 19 times, below 2^66.
        ulong b1 = 19 * b._l1, b2 = 19 * b._l2, b3 = 19 * b._l3, b4 = 19 * b._l4;
        UInt128 r0 = Product(a._l0, b._l0) + Product(a._l1, b4) + Product(a._l2, b3)
            + Product(a._l3, b2) + Product(a._l4, b1);
        UInt128 r1 = Product(a._l0, b._l1) + Product(a._l1, b._l0) + Product(a._l2, b4)
            + Product(a._l3, b3) + Product(a._l4, b2);
        UInt128 r2 = Product(a._l0, b._l2) + Product(a._l1, b._l1) + Product(a._l2, b._l0)
            + Product(a._l3, b4) + Product(a._l4, b3);
        UInt128 r3 = Product(a._l0, b._l3) + Product(a._l1, b._l2) + Product(a._l2, b._l1)
            + Product(a._l3, b._l0) + Product(a._l4, b4);
        UInt128 r4 = Product(a._l0, b._l4) + Product(a._l1, b._l3) + Product(a._l2, b._l2)
            + Product(a._l3, b._l1) + Product(a._l4, b._l0);
        r1 += r0 >> 51;
        r2 += r1 >> 51;
        r3 += r2 >> 51;
        r4 += r3 >> 51;
        UInt128 low = ((ulong)r0 & LimbMask) + ((r4 >> 51) * 19);
        return new FieldElement(
            (ulong)low & LimbMask,
            ((ulong)r1 & LimbMask) + (ulong)(low >> 51),
            (ulong)r2 & LimbMask,
            (ulong)r3 & LimbMask,
            (ulong)r4 & LimbMask);
    }

    /// <summary>Squares as often as said: the 2^<paramref name="times"/>-th power.</summary>
    internal FieldElement Square(int times)
    {
        FieldElement result = this;
        for (int i = 0; i < times; i++)
            result *= result;
        return result;
    }

    /// <summary>
    /// Whether the number is a square mod p, as 0 is: by Euler's criterion, if its power (p - 1)/2 = 2^254 - 10 is 0 or 1.
    /// </summary>
    internal bool IsSquare()
    {
        FieldElement two = Square(1);
        FieldElement six = two.Square(1) * two;

        // onesN is the power 2^N - 1, N ones in binary; they are strung together until there are 250.
        FieldElement ones2 = Chain(this, this, 1);
        FieldElement ones4 = Chain(ones2, ones2, 2);
        FieldElement ones5 = Chain(ones4, this, 1);
        FieldElement ones10 = Chain(ones5, ones5, 5);
        FieldElement ones20 = Chain(ones10, ones10, 10);
        FieldElement ones40 = Chain(ones20, ones20, 20);
        FieldElement ones50 = Chain(ones40, ones10, 10);
        FieldElement ones100 = Chain(ones50, ones50, 50);
        FieldElement ones200 = Chain(ones100, ones100, 100);
        FieldElement ones250 = Chain(ones200, ones50, 50);
        FieldElement power = ones250.Square(4) * six;
        return power.IsZero() || (power - One).IsZero();

        static FieldElement Chain(FieldElement high, FieldElement low, int lowBits) => high.Square(lowBits) * low;
    }

    private bool IsZero()
    {
        // After three rounds of carries all limbs have 51 bits, and 0 mod p is 0 or p.
        FieldElement reduced = this;
        for (int i = 0; i < 3; i++)
            reduced = Carry(reduced._l0, reduced._l1, reduced._l2, reduced._l3, reduced._l4);
        ulong upper = reduced._l1 & reduced._l2 & reduced._l3 & reduced._l4;
        return (reduced._l0 | reduced._l1 | reduced._l2 | reduced._l3 | reduced._l4) == 0
            || (reduced._l0 == LimbMask - 18 && upper == LimbMask);
    }

    private static FieldElement Carry(ulong l0, ulong l1, ulong l2, ulong l3, ulong l4)
    {
        l1 += l0 >> 51;
        l2 += l1 >> 51;
        l3 += l2 >> 51;
        l4 += l3 >> 51;
        return new FieldElement(
            (l0 & LimbMask) + (19 * (l4 >> 51)), l1 & LimbMask, l2 & LimbMask, l3 & LimbMask, l4 & LimbMask);
    }

    private static UInt128 Product(ulong a, ulong b)
    {
        ulong high = Math.BigMul(a, b, out ulong low);
        return new UInt128(high, low);
    }
}
