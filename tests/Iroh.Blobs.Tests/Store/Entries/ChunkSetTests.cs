using Iroh.Blobs.Bao;
using Iroh.Blobs.Store.Entries;

namespace Iroh.Blobs.Tests.Store.Entries;

public sealed class ChunkSetTests
{
    [Fact]
    public void It_is_the_set_of_what_was_put_in_and_not_taken_out()
    {
        int seed = Environment.TickCount;
        var random = new Random(seed);
        for (int round = 0; round < 200; round++)
        {
            const int chunks = 64;
            ulong size = (chunks * BaoTree.ChunkLength) - 300;
            var set = new ChunkSet();
            var model = new bool[chunks];
            for (int step = 0; step < 40; step++)
            {
                int start = random.Next(chunks), end = random.Next(start + 1, chunks + 1);
                int before = model.Count(static isIn => isIn);
                bool add = random.Next(4) > 0;
                Array.Fill(model, add, start, end - start);
                int after = model.Count(static isIn => isIn);
                if (add)
                    Assert.True(set.Add((ulong)start, (ulong)end) == (ulong)(after - before), $"seed {seed}");
                else
                    set.Remove((ulong)start, (ulong)end);
                Assert.True(set.Count == (ulong)after, $"seed {seed}");
                Assert.True(set.CountBytes(size) == (after * BaoTree.ChunkLength) - (model[^1] ? 300 : 0), $"seed {seed}");
                for (int i = 0; i < chunks; i++)
                {
                    int next = Array.IndexOf(model, false, i) is >= 0 and var missing ? missing : chunks;
                    Assert.True(set.NextMissing((ulong)i) == (ulong)(model[i] ? next : i), $"seed {seed}, chunk {i} of {set.ToRanges()}");
                    Assert.True(set.ToRanges().Contains((ulong)i) == model[i], $"seed {seed}");
                }
            }
        }
    }
}
