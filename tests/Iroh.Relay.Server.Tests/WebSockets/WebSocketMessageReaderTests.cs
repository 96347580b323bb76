using System.Buffers;
using Iroh.Relay.Server.Tests.Relaying;
using Iroh.Relay.Server.WebSockets;
using Iroh.Relay.WebSockets;

namespace Iroh.Relay.Server.Tests.WebSockets;

public sealed class WebSocketMessageReaderTests
{
    private const int MessageMax = 70_000;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(125)]
    [InlineData(126)]
    [InlineData(65_535)]
    [InlineData(65_536)]
    [InlineData(MessageMax)]
    public void A_whole_message_is_read_and_unmasked(int length)
    {
        byte[] payload = Bytes(length, seed: length);
        using var reader = new WebSocketMessageReader(MessageMax);
        var input = new ReadOnlySequence<byte>([.. FrameClient.Mask(0x82, payload), 0xff]);
        Assert.Equal(WebSocketReadResult.Done, reader.TryRead(ref input, out WebSocketMessage message));
        Assert.Equal((WebSocketOpcode.Binary, 1), (message.Opcode, (int)input.Length));
        Assert.Equal(payload, message.Span.ToArray());
        message.Return();
    }

    [Theory]
    [InlineData("f28000000000")] // reserved bits
    [InlineData("c28000000000")]
    [InlineData("8202abcd")] // not masked
    [InlineData("838000000000")] // unknown opcode
    [InlineData("8b8000000000")]
    [InlineData("098000000000")] // a ping in pieces
    [InlineData("89fe007e00000000")] // a long ping
    [InlineData("808000000000")] // the rest of nothing
    public void What_no_client_may_send_is_a_violation(string hex)
    {
        using var reader = new WebSocketMessageReader(MessageMax);
        var input = new ReadOnlySequence<byte>(Convert.FromHexString(hex));
        Assert.Equal(WebSocketReadResult.Violation, reader.TryRead(ref input, out _));
    }

    [Fact]
    public void A_new_message_within_another_is_a_violation()
    {
        using var reader = new WebSocketMessageReader(MessageMax);
        var input = new ReadOnlySequence<byte>([.. FrameClient.Mask(0x02, [1]), .. FrameClient.Mask(0x82, [2])]);
        Assert.Equal(WebSocketReadResult.Violation, reader.TryRead(ref input, out _));
    }

    [Fact]
    public void A_message_above_the_bound_is_refused_by_its_header_alone()
    {
        using var reader = new WebSocketMessageReader(MessageMax);
        byte[] huge = [0x82, 0x80 | 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
        var input = new ReadOnlySequence<byte>(huge);
        Assert.Equal(WebSocketReadResult.TooBig, reader.TryRead(ref input, out _));
    }

    [Fact]
    public void Fragments_above_the_bound_together_are_refused()
    {
        using var reader = new WebSocketMessageReader(MessageMax);
        byte[] half = FrameClient.Mask(0x00, new byte[40_000]);
        var input = new ReadOnlySequence<byte>([.. FrameClient.Mask(0x02, new byte[40_000]), .. half]);
        Assert.Equal(WebSocketReadResult.TooBig, reader.TryRead(ref input, out _));
    }

    [Fact]
    public void However_messages_are_cut_into_frames_and_reads_they_come_out_whole()
    {
        for (int seed = 0; seed < 300; seed++)
        {
            var random = new Random(seed);
            var expected = new List<(WebSocketOpcode, byte[])>();
            var wire = new List<byte>();
            for (int i = random.Next(1, 8); i > 0; i--)
            {
                byte[] payload = Bytes(random.Next(random.Next(2) == 0 ? 200 : MessageMax), random.Next());
                AppendMessage(wire, payload, expected, random);
            }

            List<(WebSocketOpcode Opcode, byte[] Payload)> read = ReadInPieces([.. wire], random);
            Assert.True(expected.Count == read.Count, $"seed {seed}: {read.Count} of {expected.Count} messages");
            for (int i = 0; i < read.Count; i++)
                Assert.True(expected[i].Item1 == read[i].Opcode && expected[i].Item2.AsSpan().SequenceEqual(read[i].Payload), $"seed {seed}, message {i}");
        }
    }

    [Fact]
    public void Any_bytes_end_in_a_message_a_refusal_or_a_wait()
    {
        for (int seed = 0; seed < 20_000; seed++)
        {
            var random = new Random(seed);
            byte[] bytes = Bytes(random.Next(60), seed);
            // Most random frames are refused at once; these get further.
            if (bytes.Length > 1 && random.Next(2) == 0)
                (bytes[0], bytes[1]) = ((byte)(bytes[0] & 0x8f), (byte)(bytes[1] | 0x80));
            using var reader = new WebSocketMessageReader(MessageMax);
            var input = new ReadOnlySequence<byte>(bytes);
            WebSocketReadResult result;
            do
            {
                long before = input.Length;
                result = reader.TryRead(ref input, out WebSocketMessage message);
                if (result == WebSocketReadResult.Done)
                {
                    Assert.True(input.Length < before, $"seed {seed}: nothing was used");
                    message.Return();
                }
            }
            while (result == WebSocketReadResult.Done);
        }
    }

    private static void AppendMessage(List<byte> wire, byte[] payload, List<(WebSocketOpcode, byte[])> expected, Random random)
    {
        int offset = 0;
        byte opcode = 2;
        do
        {
            int length = random.Next(3) == 0 ? payload.Length - offset : random.Next(payload.Length - offset + 1);
            bool isLast = offset + length == payload.Length;
            wire.AddRange(FrameClient.Mask((byte)((isLast ? 0x80 : 0) | opcode), payload.AsSpan(offset, length)));
            offset += length;
            opcode = 0;
            if (!isLast && random.Next(3) == 0)
            {
                byte[] ping = Bytes(random.Next(126), random.Next());
                wire.AddRange(FrameClient.Mask(0x89, ping));
                expected.Add((WebSocketOpcode.Ping, ping));
            }

            if (isLast)
                expected.Add((WebSocketOpcode.Binary, payload));
        }
        while (offset < payload.Length);
    }

    private static List<(WebSocketOpcode Opcode, byte[] Payload)> ReadInPieces(byte[] wire, Random random)
    {
        using var reader = new WebSocketMessageReader(MessageMax);
        var read = new List<(WebSocketOpcode, byte[])>();
        int start = 0, end = 0;
        while (end < wire.Length)
        {
            end = Math.Min(wire.Length, end + 1 + random.Next(random.Next(2) == 0 ? 20 : 50_000));
            ReadOnlySequence<byte> input = Segmented(wire.AsMemory(start..end), random);
            long length = input.Length;
            while (reader.TryRead(ref input, out WebSocketMessage message) == WebSocketReadResult.Done)
            {
                read.Add((message.Opcode, message.Span.ToArray()));
                message.Return();
            }

            start += (int)(length - input.Length);
        }

        return read;
    }

    private static ReadOnlySequence<byte> Segmented(ReadOnlyMemory<byte> bytes, Random random)
    {
        int cut = random.Next(bytes.Length + 1);
        var first = new Segment(bytes[..cut], null);
        var last = new Segment(bytes[cut..], first);
        return new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length);
    }

    private static byte[] Bytes(int length, int seed)
    {
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        public Segment(ReadOnlyMemory<byte> memory, Segment? previous)
        {
            Memory = memory;
            if (previous is null)
                return;
            RunningIndex = previous.RunningIndex + previous.Memory.Length;
            previous.Next = this;
        }
    }
}
