using System.Buffers.Binary;
using Iroh.Cryptography;
using Iroh.Relay.WebSockets;

namespace Iroh.Relay.Tests.WebSockets;

public sealed class WebSocketReaderTests
{
    private readonly WebSocketReader _reader = new();

    [Fact]
    public void Messages_of_all_lengths_are_read_from_any_cuts()
    {
        const ulong Seed = 6;
        var random = new SeededRandomSource(Seed);
        var sent = new List<byte[]>();
        var wire = new List<byte>();
        foreach (int length in new[] { 0, 1, 125, 126, 127, 1500, 65_535, 65_536, WebSocketReader.MessageLengthMax, 3, 60_000, 60_000 })
        {
            byte[] message = new byte[length];
            random.Fill(message);
            sent.Add(message);
            int split = (int)random.NextBelow((ulong)length + 1);
            if (length % 2 == 0 || length == WebSocketReader.MessageLengthMax)
            {
                wire.AddRange(Frame(WebSocketOpcode.Binary, message.AsSpan(0, split), isFinal: false));
                wire.AddRange(Frame(WebSocketOpcode.Ping, "between"u8));
                wire.AddRange(Frame(WebSocketOpcode.Continuation, [], isFinal: false));
                wire.AddRange(Frame(WebSocketOpcode.Continuation, message.AsSpan(split)));
            }
            else
            {
                wire.AddRange(Frame(WebSocketOpcode.Binary, message));
            }
        }

        byte[] bytes = [.. wire];
        for (int round = 0; round < 20; round++)
        {
            var reader = new WebSocketReader();
            var read = new List<byte[]>();
            for (int at = 0; at < bytes.Length;)
            {
                Memory<byte> free = reader.GetFreeMemory();
                int cut = (int)random.NextBelow(round % 2 == 0 ? 3000UL : 100_000) + 1;
                int count = Math.Min(Math.Min(free.Length, bytes.Length - at), cut);
                bytes.AsSpan(at, count).CopyTo(free.Span);
                reader.Advance(count);
                at += count;
                WebSocketRead result;
                while ((result = reader.Read(out WebSocketOpcode opcode, out Memory<byte> payload)) == WebSocketRead.Message)
                {
                    if (opcode == WebSocketOpcode.Binary)
                        read.Add(payload.ToArray());
                    else
                        Assert.Equal("between"u8, payload.Span);
                }

                Assert.Equal(WebSocketRead.Incomplete, result);
            }

            Assert.True(sent.Count == read.Count, $"seed {Seed}, round {round}");
            for (int i = 0; i < sent.Count; i++)
                Assert.True(sent[i].AsSpan().SequenceEqual(read[i]), $"seed {Seed}, round {round}, message {i}");
        }
    }

    [Theory]
    [InlineData("c200", nameof(WebSocketRead.ProtocolError))] // a reserved bit
    [InlineData("828000000000", nameof(WebSocketRead.ProtocolError))] // masked
    [InlineData("8300", nameof(WebSocketRead.ProtocolError))] // no such opcode
    [InlineData("8b00", nameof(WebSocketRead.ProtocolError))]
    [InlineData("8000", nameof(WebSocketRead.ProtocolError))] // continues nothing
    [InlineData("02008200", nameof(WebSocketRead.ProtocolError))] // a message within a message
    [InlineData("0900", nameof(WebSocketRead.ProtocolError))] // a fragment of a ping
    [InlineData("897e007e", nameof(WebSocketRead.ProtocolError))] // a ping of 126 bytes
    [InlineData("827f0000000000010009", nameof(WebSocketRead.TooBig))]
    [InlineData("827fffffffffffffffff", nameof(WebSocketRead.TooBig))]
    [InlineData("820161" + "82", nameof(WebSocketRead.Incomplete))]
    public void What_breaks_the_rules_is_named(string hex, string expected)
    {
        _reader.Append(Convert.FromHexString(hex));
        WebSocketRead result;
        do
            result = _reader.Read(out _, out _);
        while (result == WebSocketRead.Message);
        Assert.Equal(expected, result.ToString());
    }

    [Fact]
    public void Fragments_together_are_limited_like_one_message()
    {
        byte[] half = new byte[40_000];
        _reader.Append(Frame(WebSocketOpcode.Binary, half, isFinal: false));
        Assert.Equal(WebSocketRead.Incomplete, _reader.Read(out _, out _));
        _reader.Append(Frame(WebSocketOpcode.Continuation, half));
        Assert.Equal(WebSocketRead.TooBig, _reader.Read(out _, out _));
    }

    [Fact]
    public void No_bytes_make_it_throw_or_run_out_of_room()
    {
        const ulong Seed = 7;
        var random = new SeededRandomSource(Seed);
        for (int round = 0; round < 300; round++)
        {
            var reader = new WebSocketReader();
            bool isOver = false;
            for (int part = 0; part < 50 && !isOver; part++)
            {
                byte[] payload = new byte[random.NextBelow(random.NextBelow(4) == 0 ? 70_000UL : 200)];
                byte[] bytes = Frame((WebSocketOpcode)random.NextBelow(random.NextBelow(8) == 0 ? 16UL : 3), payload, random.NextBelow(2) == 0);
                if (random.NextBelow(8) == 0)
                    bytes[random.NextBelow((ulong)bytes.Length)] ^= (byte)random.NextUInt64();
                for (int at = 0; at < bytes.Length && !isOver;)
                {
                    Memory<byte> free = reader.GetFreeMemory();
                    Assert.False(free.IsEmpty, $"seed {Seed}, round {round}");
                    int count = Math.Min(free.Length, bytes.Length - at);
                    bytes.AsSpan(at, count).CopyTo(free.Span);
                    reader.Advance(count);
                    at += count;
                    WebSocketRead result;
                    while ((result = reader.Read(out _, out Memory<byte> message)) == WebSocketRead.Message)
                        Assert.True(message.Length <= WebSocketReader.MessageLengthMax, $"seed {Seed}, round {round}");
                    isOver = result != WebSocketRead.Incomplete;
                }
            }
        }
    }

    private static byte[] Frame(WebSocketOpcode opcode, ReadOnlySpan<byte> payload, bool isFinal = true)
    {
        byte[] header = new byte[10];
        header[0] = (byte)((isFinal ? 0x80 : 0) | (byte)opcode);
        int length = 2;
        if (payload.Length < 126)
        {
            header[1] = (byte)payload.Length;
        }
        else if (payload.Length <= ushort.MaxValue)
        {
            header[1] = 126;
            BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(2), (ushort)payload.Length);
            length = 4;
        }
        else
        {
            header[1] = 127;
            BinaryPrimitives.WriteUInt64BigEndian(header.AsSpan(2), (ulong)payload.Length);
            length = 10;
        }

        return [.. header.AsSpan(0, length), .. payload];
    }
}
