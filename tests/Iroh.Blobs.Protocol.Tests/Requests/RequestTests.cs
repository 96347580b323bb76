using System.Text.Json;
using Iroh.Blobs.Protocol.Tests.Ranges;
using Iroh.Blobs.Ranges;
using Iroh.Blobs.Requests;
using Iroh.Cryptography;

namespace Iroh.Blobs.Protocol.Tests.Requests;

public sealed class RequestTests
{
    private static readonly BlobHash s_large = BlobHash.Of(Vectors.Pattern(100_000));
    private static readonly BlobHash s_small = BlobHash.Of(Vectors.Pattern(11));

    [Fact]
    public void Requests_and_items_are_those_of_the_vectors()
    {
        JsonElement[] vectors = [.. Vectors.Read("requests-1x-derived.json").GetProperty("vectors").EnumerateArray()];
        byte[][] ours =
        [
            GetRequest.OfBlob(s_large).ToBytes(),
            GetRequest.OfHashSequence(s_large).ToBytes(),
            GetRequest.OfBlob(s_large, ChunkRanges.LastChunk).ToBytes(),
            new ObserveRequest(s_large, ChunkRanges.All).ToBytes(),
            new GetManyRequest([s_small, s_large], ChunkRangesSequence.FromRanges([ChunkRanges.All, ChunkRanges.All])).ToBytes(),
            new PushRequest(s_small, ChunkRangesSequence.OfBlob(ChunkRanges.All)).ToBytes(),
            new ObserveItem(100_000, ChunkRanges.All).ToFrame(),
            new ObserveItem(0, ChunkRanges.Empty).ToFrame(),
            new ObserveItem(100_000, ChunkRanges.FromChunks(16, 48)).ToFrame(),
        ];
        Assert.Equal(vectors.Select(vector => vector.Text("hex")), ours.Select(Convert.ToHexStringLower));
    }

    [Fact]
    public void What_is_written_is_read_again()
    {
        for (ulong seed = 1; seed <= 300; seed++)
        {
            var random = new SeededRandomSource(seed);
            ChunkRanges[] ranges = [.. Enumerable.Range(0, (int)random.NextBelow(6)).Select(_ => RandomRanges.Next(random, 1000))];
            ChunkRangesSequence sequence = random.NextBelow(2) == 0
                ? ChunkRangesSequence.FromRanges(ranges)
                : ChunkRangesSequence.FromRangesOpen(ranges);
            for (int i = 0; i < ranges.Length; i++)
                Assert.Equal(ranges[i], sequence[(ulong)i]);

            var get = new GetRequest(s_large, sequence);
            Assert.True(GetRequest.TryRead(get.ToBytes().AsSpan(1), out GetRequest? readGet));
            Assert.Equal(get, readGet);

            var many = new GetManyRequest([s_large, s_small], sequence);
            Assert.True(GetManyRequest.TryRead(many.ToBytes().AsSpan(1), out GetManyRequest? readMany));
            Assert.Equal(many, readMany);

            var push = new PushRequest(s_small, sequence);
            Assert.True(PushRequest.TryRead(Body(push.ToBytes().AsSpan(1)), out PushRequest? readPush));
            Assert.Equal(push, readPush);

            var observe = new ObserveRequest(s_small, sequence[0]);
            Assert.True(ObserveRequest.TryRead(observe.ToBytes().AsSpan(1), out ObserveRequest? readObserve));
            Assert.Equal(observe, readObserve);

            var item = new ObserveItem(random.NextUInt64(), sequence[0]);
            Assert.True(ObserveItem.TryRead(Body(item.ToFrame()), out ObserveItem? readItem));
            Assert.Equal(item, readItem);
        }

        static ReadOnlySpan<byte> Body(ReadOnlySpan<byte> frame)
        {
            Assert.Equal(FrameHeaderResult.Complete, BlobProtocol.ReadFrameHeader(frame, out int header, out int body));
            Assert.Equal(frame.Length, header + body);
            return frame[header..];
        }
    }

    [Fact]
    public void Random_and_damaged_bytes_are_read_or_refused_and_never_throw()
    {
        byte[][] good =
        [
            GetRequest.OfBlob(s_large, ChunkRanges.FromChunks(3, 900)).ToBytes()[1..],
            new GetManyRequest([s_small, s_large], ChunkRangesSequence.All).ToBytes()[1..],
            new ObserveItem(100_000, ChunkRanges.FromChunks(16, 48)).ToFrame()[1..],
        ];
        for (ulong seed = 1; seed <= 5000; seed++)
        {
            var random = new SeededRandomSource(seed);
            byte[] bytes = [.. good[random.NextBelow(3)]];
            if (random.NextBelow(3) == 0)
                random.Fill(bytes);
            bytes[random.NextBelow((ulong)bytes.Length)] ^= (byte)(1 + random.NextBelow(255));
            ReadOnlySpan<byte> cut = bytes.AsSpan(0, (int)random.NextBelow((ulong)bytes.Length + 1));
            try
            {
                _ = GetRequest.TryRead(cut, out _) | GetManyRequest.TryRead(cut, out _) | ObserveRequest.TryRead(cut, out _)
                    | PushRequest.TryRead(cut, out _) | ObserveItem.TryRead(cut, out _);
                BlobProtocol.ReadFrameHeader(cut, out _, out _);
            }
            catch (Exception exception)
            {
                Assert.Fail($"seed {seed}: {exception}");
            }
        }
    }

    [Fact]
    public void The_length_of_a_frame_may_arrive_in_parts_and_has_a_limit()
    {
        Assert.Equal(FrameHeaderResult.NeedMore, BlobProtocol.ReadFrameHeader([], out _, out _));
        Assert.Equal(FrameHeaderResult.NeedMore, BlobProtocol.ReadFrameHeader([0x80, 0x80], out _, out _));
        Assert.Equal(FrameHeaderResult.Complete, BlobProtocol.ReadFrameHeader([0x80, 0x80, 0x40, 9], out int header, out int body));
        Assert.Equal((3, BlobProtocol.RequestLengthMax), (header, body));
        Assert.Equal(FrameHeaderResult.Invalid, BlobProtocol.ReadFrameHeader([0x81, 0x80, 0x40], out _, out _));
        Assert.Equal(FrameHeaderResult.Invalid, BlobProtocol.ReadFrameHeader(Enumerable.Repeat((byte)0xff, 10).ToArray(), out _, out _));
    }

    [Fact]
    public void Requests_beyond_the_limit_are_refused()
    {
        byte[] body = [.. GetRequest.OfBlob(s_small).ToBytes()[1..], .. new byte[BlobProtocol.RequestLengthMax]];
        Assert.False(GetRequest.TryRead(body, out _));
        Assert.True(GetRequest.TryRead(body.AsSpan(0, BlobProtocol.RequestLengthMax), out _));
        byte[] many = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, .. new byte[64]];
        Assert.False(GetManyRequest.TryRead(many, out _));
    }
}
