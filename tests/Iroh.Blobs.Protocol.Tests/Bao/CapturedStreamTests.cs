using System.Text.Json;
using Iroh.Blobs.Bao;
using Iroh.Blobs.Ranges;
using Iroh.Blobs.Requests;

namespace Iroh.Blobs.Protocol.Tests.Bao;

/// <summary>What a provider of iroh answered to 263 requests.</summary>
public sealed class CapturedStreamTests
{
    private static readonly JsonElement s_file = Vectors.Read("blob-get.json");

    [Fact]
    public void Every_selection_of_a_blob_encodes_as_iroh_encodes_it_and_decodes_again()
    {
        int cases = 0;
        foreach (JsonElement vector in s_file.GetProperty("vectors").EnumerateArray())
        {
            if (vector.GetProperty("blob").ValueKind != JsonValueKind.Number)
                continue;
            cases++;
            byte[] content = Vectors.Pattern(vector.GetProperty("blob").GetInt32());
            GetRequest request = Request(vector);
            ChunkRanges ranges = vector.GetProperty("chunk_boundaries").Ranges();
            Assert.Equal(BlobHash.Of(content), request.Hash);
            Assert.Equal(ranges, request.Ranges[0]);
            Assert.Equal(vector.Hex("request"), GetRequest.OfBlob(request.Hash, ranges).ToBytes());

            byte[] stream = VerifiedStream.Encode(content, ranges);
            CheckResponse(vector, stream);
            CheckDecoded(stream, request.Hash, ranges, content);
        }

        Assert.Equal(252, cases);
    }

    [Fact]
    public void Every_selection_of_a_collection_encodes_as_iroh_encodes_it()
    {
        JsonElement collection = Vectors.Read("collection.json");
        byte[][] blobs =
        [
            collection.Hex("hash_seq_blob"), collection.Hex("meta_blob"), "hello world"u8.ToArray(), Vectors.Pattern(20_000), [],
        ];
        int cases = 0;
        foreach (JsonElement vector in s_file.GetProperty("vectors").EnumerateArray())
        {
            if (vector.GetProperty("blob").ToString() != "collection")
                continue;
            cases++;
            GetRequest request = Request(vector);
            Assert.Equal(vector.Hex("request"), request.ToBytes());
            CheckSequence(vector.GetProperty("range_seq"), request.Ranges);
            var stream = new MemoryStream();
            foreach (ChunkRangesSequence.Span span in request.Ranges.Selected((ulong)blobs.Length))
            {
                byte[] part = VerifiedStream.Encode(blobs[span.Offset], span.Ranges);
                CheckDecoded(part, BlobHash.Of(blobs[span.Offset]), span.Ranges, blobs[span.Offset]);
                stream.Write(part);
            }

            CheckResponse(vector, stream.ToArray());
        }

        Assert.Equal(7, cases);
    }

    [Fact]
    public void Malformed_requests_are_refused_and_bytes_behind_a_request_are_ignored()
    {
        JsonElement[] vectors = [.. s_file.GetProperty("vectors").EnumerateArray()
            .Where(vector => vector.GetProperty("blob").ToString() is "malformed" or "unknown_hash")];
        Assert.Equal(4, vectors.Length);
        foreach (JsonElement vector in vectors)
        {
            byte[] bytes = vector.Hex("request");
            bool isGet = bytes[0] == (byte)BlobRequestType.Get && GetRequest.TryRead(bytes.AsSpan(1), out _);
            Assert.Equal(vector.Text("case") is "trailing_byte" or "all", isGet);
        }
    }

    private static GetRequest Request(JsonElement vector)
    {
        byte[] bytes = vector.Hex("request");
        Assert.Equal((byte)BlobRequestType.Get, bytes[0]);
        Assert.True(GetRequest.TryRead(bytes.AsSpan(1), out GetRequest? request));
        return request;
    }

    private static void CheckSequence(JsonElement expected, ChunkRangesSequence actual)
    {
        Assert.Equal(expected.GetArrayLength(), actual.Spans.Length);
        for (int i = 0; i < actual.Spans.Length; i++)
        {
            Assert.Equal(expected[i][0].GetUInt64(), actual.Spans[i].Offset);
            Assert.Equal(expected[i][1].Ranges(), actual.Spans[i].Ranges);
        }
    }

    private static void CheckResponse(JsonElement vector, byte[] stream)
    {
        string name = $"{vector.GetProperty("blob")}, {vector.Text("case")}";
        Assert.True(vector.GetProperty("response_len").GetInt32() == stream.Length, $"{name}: {stream.Length} bytes");
        Assert.True(vector.Text("response_blake3") == BlobHash.Of(stream).ToString(), name);
        if (vector.TryGetProperty("response", out JsonElement whole))
            Assert.Equal(whole.GetString(), Convert.ToHexStringLower(stream));
    }

    private static void CheckDecoded(byte[] stream, BlobHash root, ChunkRanges ranges, byte[] content)
    {
        DecodedBlob decoded = VerifiedStream.Decode(stream, root, ranges);
        Assert.Equal(BaoDecoderState.Complete, decoded.State);
        Assert.Equal(stream.Length, decoded.Length);
        ChunkRanges got = ChunkRanges.Empty;
        foreach ((long offset, byte[] bytes) in decoded.Leaves)
        {
            Assert.Equal(content[(int)offset..((int)offset + bytes.Length)], bytes);
            got = got.Union(ChunkRanges.FromBytes((ulong)offset, (ulong)bytes.Length));
        }

        ChunkRanges expected = ranges.Resolve((ulong)content.Length);
        Assert.Equal(content.Length == 0 ? ChunkRanges.Empty : expected, got);
        Assert.Equal(expected.Contains(BaoTree.LastChunk((ulong)content.Length)), decoded.IsSizeProven);
        OutboardBuilder.Build(content, out byte[] outboard);
        foreach ((long offset, byte[] pair) in decoded.Pairs)
            Assert.Equal(outboard[(int)offset..((int)offset + pair.Length)], pair);
    }
}
