using System.Buffers.Binary;
using System.Text;
using Blixard.Etcd.Database;

namespace Blixard.Etcd.Tests.Database;

public sealed class BoltWriterTests
{
    [Fact]
    public void Every_key_of_every_bucket_is_found_again_by_walking_the_trees()
    {
        for (int seed = 0; seed < 20; seed++)
        {
            var random = new Random(seed);
            var expected = new SortedDictionary<string, SortedDictionary<string, byte[]>>(StringComparer.Ordinal);
            for (int bucket = random.Next(1, 12); bucket > 0; bucket--)
            {
                var content = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
                for (int keys = random.Next(3) == 0 ? 0 : random.Next(1, 3_000); keys > 0; keys--)
                    content[new string('k', random.Next(1, 40)) + random.Next()] = Value(random);
                expected[$"bucket-{random.Next()}"] = content;
            }

            using var file = new MemoryStream();
            var writer = new BoltWriter(file);
            foreach ((string name, SortedDictionary<string, byte[]> content) in expected)
            {
                writer.BeginBucket(Encoding.UTF8.GetBytes(name));
                foreach ((string key, byte[] value) in content)
                    writer.Put(Encoding.UTF8.GetBytes(key), value);
            }

            writer.Complete();
            var reader = new BoltPages(file.ToArray());
            Dictionary<string, List<(string Key, byte[] Value)>> found = reader.Buckets();
            Assert.True(expected.Keys.SequenceEqual(found.Keys), $"buckets differ, seed {seed}");
            foreach ((string name, SortedDictionary<string, byte[]> content) in expected)
            {
                Assert.True(content.Keys.SequenceEqual(found[name].Select(row => row.Key)), $"keys of {name} differ, seed {seed}");
                Assert.True(content.Values.Zip(found[name]).All(pair => pair.First.AsSpan().SequenceEqual(pair.Second.Value)), $"values of {name} differ, seed {seed}");
            }

            Assert.Equal(reader.PageCount, reader.PagesSeen);
        }
    }

    [Fact]
    public void Keys_and_buckets_out_of_order_are_refused()
    {
        using var file = new MemoryStream();
        var writer = new BoltWriter(file);
        Assert.Throws<InvalidOperationException>(() => writer.Put("a"u8, "1"u8));
        writer.BeginBucket("b"u8);
        writer.Put("b"u8, "1"u8);
        Assert.Throws<ArgumentException>(() => writer.Put("b"u8, "2"u8));
        Assert.Throws<ArgumentException>(() => writer.Put("a"u8, "2"u8));
        Assert.Throws<ArgumentException>(() => writer.Put(""u8, "2"u8));
        Assert.Throws<ArgumentException>(() => writer.Put(new byte[BoltWriter.KeyBytesMax + 1], "2"u8));
        Assert.Throws<ArgumentException>(() => writer.BeginBucket("b"u8));
        Assert.Throws<ArgumentException>(() => writer.BeginBucket(""u8));
    }

    // Mostly rows as the cluster store has them, some that fill a page and some that flow over many.
    private static byte[] Value(Random random)
    {
        byte[] value = new byte[random.Next(100) switch { 0 => random.Next(100_000), < 5 => random.Next(3_900, 4_200), _ => random.Next(200) }];
        random.NextBytes(value);
        return value;
    }

    /// <summary>Reads the pages as the format's description says, which is all that the writer shares with it.</summary>
    private sealed class BoltPages(byte[] file)
    {
        public long PageCount => file.Length / 4096;

        public long PagesSeen { get; private set; } = 3;

        public Dictionary<string, List<(string Key, byte[] Value)>> Buckets()
        {
            ReadOnlySpan<byte> meta = file.AsSpan(16);
            Assert.Equal(0xED0CDAEDu, BinaryPrimitives.ReadUInt32LittleEndian(meta));
            Assert.Equal((ulong)PageCount, BinaryPrimitives.ReadUInt64LittleEndian(meta[40..]));
            var buckets = new Dictionary<string, List<(string Key, byte[] Value)>>();
            foreach ((uint flags, byte[] key, byte[] value) in Leaves(BinaryPrimitives.ReadUInt64LittleEndian(meta[16..])))
            {
                Assert.Equal(1u, flags);
                ulong root = BinaryPrimitives.ReadUInt64LittleEndian(value);
                Assert.Equal(root == 0 ? 32 : 16, value.Length);
                buckets[Encoding.UTF8.GetString(key)] =
                    root == 0 ? [] : [.. Leaves(root).Select(row => (Encoding.UTF8.GetString(row.Key), row.Value))];
            }

            return buckets;
        }

        private List<(uint Flags, byte[] Key, byte[] Value)> Leaves(ulong page)
        {
            int start = (int)page * 4096;
            ReadOnlySpan<byte> bytes = file.AsSpan(start);
            Assert.Equal(page, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            ushort flags = BinaryPrimitives.ReadUInt16LittleEndian(bytes[8..]);
            PagesSeen += 1 + BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..]);
            var rows = new List<(uint, byte[], byte[])>();
            for (int i = 0; i < BinaryPrimitives.ReadUInt16LittleEndian(bytes[10..]); i++)
            {
                ReadOnlySpan<byte> element = bytes[(16 + (16 * i))..];
                if (flags == 1)
                {
                    ReadOnlySpan<byte> branchKey = element.Slice(
                        BinaryPrimitives.ReadInt32LittleEndian(element), BinaryPrimitives.ReadInt32LittleEndian(element[4..]));
                    List<(uint Flags, byte[] Key, byte[] Value)> below = Leaves(BinaryPrimitives.ReadUInt64LittleEndian(element[8..]));
                    Assert.True(branchKey.SequenceEqual(below[0].Key), "a branch's key is not the first below it");
                    rows.AddRange(below);
                    continue;
                }

                Assert.Equal(2, flags);
                int position = BinaryPrimitives.ReadInt32LittleEndian(element[4..]);
                int keyLength = BinaryPrimitives.ReadInt32LittleEndian(element[8..]);
                rows.Add((
                    BinaryPrimitives.ReadUInt32LittleEndian(element),
                    element.Slice(position, keyLength).ToArray(),
                    element.Slice(position + keyLength, BinaryPrimitives.ReadInt32LittleEndian(element[12..])).ToArray()));
            }

            return rows;
        }
    }
}
