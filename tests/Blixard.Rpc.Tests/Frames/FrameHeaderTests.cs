using Blixard.Rpc.Calls;
using Blixard.Rpc.Frames;
using Iroh.Cryptography;

namespace Blixard.Rpc.Tests.Frames;

public sealed class FrameHeaderTests
{
    private static readonly byte[] Known =
    [
        1, 1, 0x00, 0x00, 0x01, 0x02,
        0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0x4D, 0xEF, 0x80, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
        0x00, 0x01,
    ];

    [Fact]
    public void The_layout_is_the_documented_one_byte_for_byte()
    {
        var header = new FrameHeader(
            FrameType.Request, FrameFlags.RequestsFollow, 258, Guid.Parse("01234567-89ab-4def-8011-223344556677"));
        byte[] bytes = new byte[FrameHeader.Length];
        header.Write(bytes);
        Assert.Equal(Known, bytes);
        Assert.Equal(FrameError.None, FrameHeader.TryRead(bytes, out FrameHeader read));
        Assert.Equal(header, read);
    }

    [Theory]
    [InlineData(0, 0, FrameError.UnsupportedVersion)]
    [InlineData(0, 2, FrameError.UnsupportedVersion)]
    [InlineData(1, 0, FrameError.UnknownType)]
    [InlineData(1, 8, FrameError.UnknownType)]
    [InlineData(1, 255, FrameError.UnknownType)]
    [InlineData(2, 0xFF, FrameError.PayloadTooLong)]
    [InlineData(22, 0x80, FrameError.UnknownFlags)]
    [InlineData(23, 4, FrameError.UnknownFlags)]
    [InlineData(23, 3, FrameError.UnknownFlags)]
    public void A_wrong_byte_is_named(int offset, byte value, FrameError expected)
    {
        byte[] bytes = [.. Known];
        bytes[offset] = value;
        Assert.Equal(expected, FrameHeader.TryRead(bytes, out _));
    }

    [Fact]
    public void Requests_may_follow_only_a_request()
    {
        byte[] bytes = [.. Known];
        bytes[1] = (byte)FrameType.Response;
        Assert.Equal(FrameError.UnknownFlags, FrameHeader.TryRead(bytes, out _));
    }

    [Fact]
    public void The_longest_payload_is_taken_and_one_byte_more_is_not()
    {
        byte[] bytes = [.. Known];
        System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(2), RpcLimits.MessageLengthMax);
        Assert.Equal(FrameError.None, FrameHeader.TryRead(bytes, out FrameHeader header));
        Assert.Equal(RpcLimits.MessageLengthMax, header.PayloadLength);
        System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(2), RpcLimits.MessageLengthMax + 1);
        Assert.Equal(FrameError.PayloadTooLong, FrameHeader.TryRead(bytes, out _));
    }

    [Fact]
    public void Fewer_bytes_than_a_header_are_truncated()
    {
        for (int length = 0; length < FrameHeader.Length; length++)
            Assert.Equal(FrameError.Truncated, FrameHeader.TryRead(Known.AsSpan(0, length), out _));
    }

    [Fact]
    public void Random_bytes_never_throw_and_what_reads_writes_back_the_same()
    {
        const ulong Seed = 20260101;
        var random = new SeededRandomSource(Seed);
        byte[] bytes = new byte[FrameHeader.Length], back = new byte[FrameHeader.Length];
        int taken = 0;
        for (int i = 0; i < 20_000; i++)
        {
            random.Fill(bytes);
            // Most fields must be likely, or nothing would get past the version.
            bytes[0] = (byte)(bytes[0] % 3);
            bytes[1] = (byte)(bytes[1] % 9);
            bytes[2] = 0;
            bytes[22] = 0;
            bytes[23] = (byte)(bytes[23] % 3);
            if (FrameHeader.TryRead(bytes, out FrameHeader header) != FrameError.None)
                continue;
            taken++;
            header.Write(back);
            Assert.True(bytes.AsSpan().SequenceEqual(back), $"seed {Seed}, round {i}");
        }
        Assert.True(taken > 100, $"seed {Seed}: only {taken} headers were taken");
    }
}
