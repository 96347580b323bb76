using System.Collections.Concurrent;
using Iroh.Blobs.Bao;
using Iroh.Blobs.Store;

namespace Iroh.Blobs.Tests.Store;

/// <summary>Content of a seed, with what a sender of it would send.</summary>
public sealed class TestBlob
{
    private static readonly ConcurrentDictionary<(int Seed, int Length), TestBlob> s_made = new();

    private readonly byte[] _outboard;

    public TestBlob(int seed, int length)
    {
        Content = Bytes(seed, length);
        Hash = OutboardBuilder.Build(Content, out _outboard);
    }

    public byte[] Content { get; }

    public BlobHash Hash { get; }

    public int GroupCount => (int)BaoTree.GroupCount((ulong)Content.Length);

    /// <summary>The same, made once.</summary>
    public static TestBlob Get(int seed, int length) => s_made.GetOrAdd((seed, length), static key => new TestBlob(key.Seed, key.Length));

    public static byte[] Bytes(int seed, int length)
    {
        var content = new byte[length];
        uint state = (uint)seed * 2654435761 + 1;
        for (int i = 0; i < length; i++)
        {
            state = state * 1664525 + 1013904223;
            content[i] = (byte)(state >> 24);
        }

        return content;
    }

    /// <summary>Writes groups with the pairs above them, as a decoder hands them on.</summary>
    public async Task WriteGroupsAsync(IBlobWriter writer, int first, int count)
    {
        ulong size = (ulong)Content.Length;
        foreach (long offset in PairsAbove(first, count))
            await writer.WritePairAsync(size, offset, _outboard.AsMemory((int)offset, BaoTree.PairLength));
        int start = first * BaoTree.GroupLength;
        int end = Math.Min(Content.Length, (first + count) * BaoTree.GroupLength);
        await writer.WriteLeafAsync(size, start, Content.AsMemory(start..end));
    }

    public async Task WriteAllAsync(IBlobWriter writer)
    {
        for (int group = 0; group < GroupCount; group++)
            await WriteGroupsAsync(writer, group, 1);
    }

    public async Task<byte[]> ReadAsync(IBlobContent content)
    {
        var read = new byte[content.Size];
        for (int offset = 0; offset < read.Length;)
            offset += await content.ReadAsync(offset, read.AsMemory(offset));
        return read;
    }

    public async Task<bool> MatchesAsync(IBlobContent content)
    {
        byte[] read = await ReadAsync(content);
        return read.AsSpan().SequenceEqual(Content);
    }

    public List<long> PairsAbove(int first, int count)
    {
        var offsets = new List<long>();
        Collect(0, GroupCount, 0);
        return offsets;

        void Collect(int start, int groups, long offset)
        {
            if (groups == 1 || start >= first + count || start + groups <= first)
                return;
            offsets.Add(offset);
            int left = (int)BaoTree.LeftCount((ulong)groups);
            Collect(start, left, offset + BaoTree.PairLength);
            Collect(start + left, groups - left, offset + ((long)left * BaoTree.PairLength));
        }
    }
}
