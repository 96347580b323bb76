using Blixard.Cluster.Store;
using Blixard.Cluster.Store.Backup;

namespace Blixard.Cluster.Tests.Store.Backup;

public sealed class StoreBackupFileTests
{
    private static readonly StoreBackupHeader s_header =
        new("4f0f9a3e-2f43-4c8e-9d0f-7b1d5a2c6e10", "sqlite", 1_000, new DateTimeOffset(2026, 5, 17, 8, 30, 1, 250, TimeSpan.Zero));

    [Fact]
    public void What_was_written_is_read_again()
    {
        for (int seed = 0; seed < 50; seed++)
        {
            var random = new Random(seed);
            List<StoreEntry> entries = RandomEntries(random, random.Next(200), s_header.Revision);
            (StoreBackupHeader header, List<StoreEntry> read) = Read(Write(s_header, entries));
            Assert.Equal(s_header, header);
            Assert.True(entries.Count == read.Count, $"seed {seed}");
            Assert.All(entries.Zip(read), pair => Assert.True(AreSame(pair.First, pair.Second), $"seed {seed}, {pair.First.Key}"));
        }
    }

    [Fact]
    public void The_largest_entry_fits()
    {
        var entry = new StoreEntry(new string('k', StoreLimits.KeyBytesMax), new byte[StoreLimits.ValueBytesMax], 1, 1, 1);
        Assert.True(AreSame(entry, Assert.Single(Read(Write(s_header, [entry])).Entries)));
    }

    [Fact]
    public void Keys_with_a_lease_are_left_out()
    {
        byte[] file = Write(s_header, [new("/a", "1"u8.ToArray(), 1, 1, 1, 9), new("/b", "2"u8.ToArray(), 2, 2, 1)]);
        Assert.Equal("/b", Assert.Single(Read(file).Entries).Key);
    }

    [Fact]
    public void The_file_is_byte_for_byte_as_it_is_described()
    {
        byte[] file = Write(s_header with { ClusterId = "c", Engine = "e" }, [new StoreEntry("/k", "v"u8.ToArray(), 3, 5, 2)]);
        Assert.Equal(
            "626C69786172642D73746F72650D0A00" + "01000000" // magic, version
            + "14000000" + "E803000000000000" + "22780E359E010000" + "0163" + "0165" // header
            + "1D000000" + "0300000000000000" + "0500000000000000" + "0200000000000000" + "0200" + "2F6B" + "76" // entry
            + "00000000" + "0100000000000000", // end
            Convert.ToHexString(file[..^32]));
        Assert.Equal(32, file.Length - (16 + 4 + 4 + 20 + 4 + 29 + 12));
    }

    [Fact]
    public void Every_shortened_backup_is_refused()
    {
        byte[] file = Write(s_header, RandomEntries(new Random(1), 5, s_header.Revision));
        for (int length = 0; length < file.Length; length++)
        {
            StoreBackupFailure failure = Assert.Throws<StoreBackupException>(() => Read(file[..length])).Failure;
            Assert.True(failure == (length < 16 ? StoreBackupFailure.NotABackup : StoreBackupFailure.Truncated), $"length {length}: {failure}");
        }
    }

    [Fact]
    public void Every_changed_bit_is_noticed()
    {
        byte[] file = Write(s_header, RandomEntries(new Random(2), 4, s_header.Revision));
        for (int bit = 0; bit < file.Length * 8; bit++)
        {
            byte[] altered = [.. file];
            altered[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.True(Record.Exception(() => Read(altered)) is StoreBackupException, $"bit {bit}");
        }
    }

    [Fact]
    public void What_follows_the_end_is_refused() =>
        Assert.Equal(
            StoreBackupFailure.Damaged, Assert.Throws<StoreBackupException>(() => Read([.. Write(s_header, []), 0])).Failure);

    [Fact]
    public void A_later_format_is_named()
    {
        byte[] file = Write(s_header, []);
        file[16] = 2;
        StoreBackupException exception = Assert.Throws<StoreBackupException>(() => Read(file));
        Assert.Equal(StoreBackupFailure.UnknownVersion, exception.Failure);
        Assert.Contains("format 2", exception.Message);
    }

    [Fact]
    public void Random_bytes_after_a_good_beginning_are_refused_and_nothing_else_happens()
    {
        byte[] good = Write(s_header, RandomEntries(new Random(3), 20, s_header.Revision));
        for (int seed = 0; seed < 2_000; seed++)
        {
            var random = new Random(seed);
            byte[] noise = new byte[random.Next(300)];
            random.NextBytes(noise);
            // Small lengths are where a reader goes on; plain noise is nearly always refused at once.
            for (int i = 0; i + 4 <= noise.Length && random.Next(2) == 0; i += 4)
                noise[i + 3] = noise[i + 2] = 0;
            byte[] file = [.. good[..random.Next(good.Length)], .. noise];
            Assert.True(Record.Exception(() => Read(file)) is StoreBackupException, $"seed {seed}");
        }
    }

    [Fact]
    public void A_writer_refuses_what_no_store_holds()
    {
        var writer = new StoreBackupWriter(Stream.Null, s_header);
        writer.Append(new StoreEntry("/b", "1"u8.ToArray(), 1, 1, 1));
        Assert.Throws<ArgumentException>(() => writer.Append(new StoreEntry("/b", "1"u8.ToArray(), 1, 1, 1)));
        Assert.Throws<ArgumentException>(() => writer.Append(new StoreEntry("/a", "1"u8.ToArray(), 1, 1, 1)));
        Assert.Throws<ArgumentException>(() => writer.Append(new StoreEntry("/c", "1"u8.ToArray(), 2, 1, 1)));
        Assert.Throws<ArgumentException>(() => writer.Append(new StoreEntry("/c", "1"u8.ToArray(), 1, 1, 2)));
        Assert.Throws<ArgumentException>(() => writer.Append(new StoreEntry("/c", "1"u8.ToArray(), 1, 1_001, 1)));
        Assert.Throws<ArgumentException>(() => new StoreBackupWriter(Stream.Null, s_header with { ClusterId = "" }));
    }

    private static byte[] Write(StoreBackupHeader header, IEnumerable<StoreEntry> entries)
    {
        using var file = new MemoryStream();
        var writer = new StoreBackupWriter(file, header);
        foreach (StoreEntry entry in entries)
            writer.Append(entry);
        writer.Complete();
        Assert.Equal(file.Length, writer.Bytes);
        return file.ToArray();
    }

    private static (StoreBackupHeader Header, List<StoreEntry> Entries) Read(byte[] file)
    {
        var reader = new StoreBackupReader(new MemoryStream(file));
        var entries = new List<StoreEntry>();
        while (reader.TryRead(out StoreEntry? entry))
            entries.Add(entry);
        Assert.False(reader.TryRead(out _));
        return (reader.Header, entries);
    }

    private static List<StoreEntry> RandomEntries(Random random, int count, long revision)
    {
        var keys = new SortedSet<string>(StringComparer.Ordinal);
        while (keys.Count < count)
            keys.Add($"/{(char)('a' + random.Next(26))}/ä{random.Next()}");
        return
        [
            .. keys.Select(key =>
            {
                byte[] value = new byte[random.Next(100)];
                random.NextBytes(value);
                long create = random.NextInt64(1, revision + 1), mod = random.NextInt64(create, revision + 1);
                return new StoreEntry(key, value, create, mod, random.NextInt64(mod - create + 1) + 1);
            }),
        ];
    }

    private static bool AreSame(StoreEntry a, StoreEntry b) => a with { Value = default } == b with { Value = default } && a.Value.Span.SequenceEqual(b.Value.Span);
}
