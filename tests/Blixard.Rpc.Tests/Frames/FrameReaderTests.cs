using Blixard.Rpc.Calls;
using Blixard.Rpc.Frames;
using Iroh.Cryptography;

namespace Blixard.Rpc.Tests.Frames;

public sealed class FrameReaderTests
{
    [Fact]
    public async Task Frames_of_many_sizes_come_back_as_they_went()
    {
        using var bytes = new MemoryStream();
        var writer = new FrameWriter(bytes);
        var random = new SeededRandomSource(7);
        var sent = new List<(Guid Id, byte[] Payload)>();
        foreach (int size in (int[])[0, 1, 23, 24, 4095, 4096, 4097, 100_000, RpcLimits.MessageLengthMax])
        {
            byte[] payload = new byte[size];
            random.Fill(payload);
            sent.Add((Guid.NewGuid(), payload));
            await writer.WriteBytesAsync(FrameType.StreamData, sent[^1].Id, payload, CancellationToken.None);
        }
        bytes.Position = 0;
        using var reader = new FrameReader(bytes);
        foreach ((Guid id, byte[] payload) in sent)
        {
            FrameRead read = await reader.ReadAsync(CancellationToken.None);
            Assert.Equal(FrameReadKind.Frame, read.Kind);
            Assert.Equal(id, read.Header.RequestId);
            Assert.True(read.Payload.Span.SequenceEqual(payload));
        }
        Assert.Equal(FrameReadKind.End, (await reader.ReadAsync(CancellationToken.None)).Kind);
    }

    [Fact]
    public async Task A_frame_cut_anywhere_is_truncated()
    {
        using var bytes = new MemoryStream();
        await new FrameWriter(bytes).WriteBytesAsync(FrameType.StreamData, Guid.NewGuid(), new byte[10], CancellationToken.None);
        byte[] whole = bytes.ToArray();
        for (int length = 1; length < whole.Length; length++)
        {
            using var reader = new FrameReader(new MemoryStream(whole, 0, length));
            FrameRead read = await reader.ReadAsync(CancellationToken.None);
            Assert.Equal(FrameReadKind.Malformed, read.Kind);
            Assert.Equal(FrameError.Truncated, read.Error);
        }
    }

    [Fact]
    public async Task An_announced_length_alone_takes_no_memory()
    {
        byte[] header = new byte[FrameHeader.Length];
        new FrameHeader(FrameType.StreamData, FrameFlags.None, RpcLimits.MessageLengthMax, Guid.NewGuid()).Write(header);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            using var reader = new FrameReader(new MemoryStream(header));
            ValueTask<FrameRead> read = reader.ReadAsync(CancellationToken.None);
            Assert.True(read.IsCompleted);
            Assert.Equal(FrameError.Truncated, (await read).Error);
        }
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 100 * 64 * 1024);
    }

    [Fact]
    public async Task Damaged_streams_of_frames_never_throw_and_always_end()
    {
        const ulong Seed = 424242;
        var random = new SeededRandomSource(Seed);
        byte[] numbers = new byte[8];
        for (int round = 0; round < 2000; round++)
        {
            using var bytes = new MemoryStream();
            var writer = new FrameWriter(bytes);
            for (int i = 0; i < 4; i++)
            {
                random.Fill(numbers);
                await writer.WriteBytesAsync((FrameType)(1 + (numbers[0] % 7)), Guid.NewGuid(), new byte[numbers[1]], CancellationToken.None);
            }
            byte[] damaged = bytes.ToArray();
            random.Fill(numbers);
            for (int i = 0; i < numbers[0] % 4; i++)
                damaged[((numbers[2 + i] << 8) | numbers[3 + i]) % damaged.Length] = numbers[1];
            int length = numbers[6] % 2 == 0 ? damaged.Length : ((numbers[7] << 8) | numbers[6]) % damaged.Length;
            using var reader = new FrameReader(new MemoryStream(damaged, 0, length));
            int frames = 0;
            while ((await reader.ReadAsync(CancellationToken.None)).Kind == FrameReadKind.Frame)
                Assert.True(++frames <= damaged.Length / FrameHeader.Length, $"seed {Seed}, round {round}");
        }
    }
}
