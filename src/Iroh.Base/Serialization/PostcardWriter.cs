using System.Buffers;
using System.Text;

namespace Iroh.Base.Serialization;

/// <summary>Appends postcard fields to a buffer that grows.</summary>
public sealed class PostcardWriter
{
    private readonly ArrayBufferWriter<byte> _buffer = new();

    /// <summary>What has been written. The span is valid until the next write.</summary>
    public ReadOnlySpan<byte> Written => _buffer.WrittenSpan;

    /// <summary>Writes one raw byte.</summary>
    public void WriteByte(byte value) => WriteFixed([value]);

    /// <summary>Writes a bool as 0 or 1.</summary>
    public void WriteBool(bool value) => WriteByte(value ? (byte)1 : (byte)0);

    /// <summary>Writes an unsigned varint in its shortest form: 16, 32 and 64-bit numbers alike, and variant indices.</summary>
    public void WriteVarint(ulong value)
    {
        while (value >= 0x80)
        {
            WriteByte((byte)(value | 0x80));
            value >>= 7;
        }

        WriteByte((byte)value);
    }

    /// <summary>Writes bytes without a length.</summary>
    public void WriteFixed(ReadOnlySpan<byte> value) => _buffer.Write(value);

    /// <summary>Writes the length, then the bytes.</summary>
    public void WriteBytes(ReadOnlySpan<byte> value)
    {
        WriteVarint((ulong)value.Length);
        WriteFixed(value);
    }

    /// <summary>Writes the length in bytes, then the string as UTF-8.</summary>
    public void WriteString(string value) => WriteBytes(Encoding.UTF8.GetBytes(value));

    /// <summary>A copy of what has been written.</summary>
    public byte[] ToArray() => _buffer.WrittenSpan.ToArray();
}
