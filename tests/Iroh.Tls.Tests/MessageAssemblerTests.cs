using Iroh.Cryptography;

namespace Iroh.Tls.Tests;

public sealed class MessageAssemblerTests
{
    [Fact]
    public void Random_messages_in_random_pieces_come_out_whole_and_in_order()
    {
        for (ulong seed = 0; seed < 200; seed++)
        {
            var random = new SeededRandomSource(seed);
            var sent = new List<byte[]>();
            var stream = new List<byte>();
            for (int i = 0; i < 10; i++)
            {
                byte[] body = new byte[(int)random.NextBelow(random.NextBelow(2) == 0 ? 5u : 400u)];
                random.Fill(body);
                sent.Add([(byte)i, 0, (byte)(body.Length >> 8), (byte)body.Length, .. body]);
                stream.AddRange(sent[^1]);
            }

            var assembler = new MessageAssembler();
            var received = new List<byte[]>();
            ReadOnlySpan<byte> rest = stream.ToArray();
            while (!rest.IsEmpty)
            {
                int length = 1 + (int)random.NextBelow((ulong)Math.Min(rest.Length, 300));
                ReadOnlySpan<byte> piece = rest[..length];
                rest = rest[length..];
                while (!piece.IsEmpty)
                {
                    Assert.Null(assembler.Take(ref piece, out ReadOnlySpan<byte> message));
                    if (!message.IsEmpty)
                        received.Add(message.ToArray());
                }
            }

            Assert.True(received.Count == sent.Count, $"seed {seed}");
            for (int i = 0; i < sent.Count; i++)
                Assert.True(sent[i].AsSpan().SequenceEqual(received[i]), $"seed {seed}, message {i}");
            Assert.False(assembler.HasPartial);
        }
    }

    [Fact]
    public void A_message_beyond_the_limit_is_refused_at_its_header()
    {
        var assembler = new MessageAssembler();
        ReadOnlySpan<byte> data = [1, 0, (MessageAssembler.MessageLengthMax + 1) >> 8, (MessageAssembler.MessageLengthMax + 1) & 0xff];

        Assert.Equal(TlsAlert.DecodeError, assembler.Take(ref data, out _)!.Alert);
    }

    [Fact]
    public void An_announced_length_costs_no_memory_before_its_bytes_come()
    {
        byte[] header = [1, 0, MessageAssembler.MessageLengthMax >> 8, 0];
        Announce();

        long before = GC.GetAllocatedBytesForCurrentThread();
        Announce();
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.InRange(allocated, 0, 256);

        void Announce()
        {
            var assembler = new MessageAssembler();
            ReadOnlySpan<byte> data = header;
            if (assembler.Take(ref data, out _) is not null)
                throw new InvalidOperationException("A message of the longest allowed length was refused.");
        }
    }
}
