using System.Text.Json;
using Iroh.Blobs.Formats;
using Iroh.Cryptography;

namespace Iroh.Blobs.Protocol.Tests.Formats;

public sealed class CollectionTests
{
    [Fact]
    public void A_collection_is_the_two_blobs_that_iroh_makes_of_it()
    {
        JsonElement file = Vectors.Read("collection.json");
        var collection = new Collection([.. file.GetProperty("children").EnumerateArray().Select(child =>
        {
            Assert.True(BlobHash.TryParse(child.Text("hash"), out BlobHash hash));
            return new CollectionEntry(child.Text("name"), hash);
        })]);
        Assert.Equal(file.Text("meta_blob"), Convert.ToHexStringLower(collection.NamesToBytes()));
        Assert.Equal(file.Text("meta_hash"), BlobHash.Of(collection.NamesToBytes()).ToString());
        Assert.Equal(file.Text("hash_seq_blob"), Convert.ToHexStringLower(collection.ToHashSequence().Bytes.Span));
        Assert.Equal(file.Text("root"), BlobHash.Of(collection.ToHashSequence().Bytes.Span).ToString());

        Assert.True(HashSequence.TryRead(file.Hex("hash_seq_blob"), out HashSequence sequence));
        Assert.True(Collection.TryRead(sequence, file.Hex("meta_blob"), out Collection? read));
        Assert.Equal(collection, read);
    }

    [Fact]
    public void A_hash_sequence_has_whole_hashes()
    {
        Assert.True(HashSequence.TryRead(default, out HashSequence none));
        Assert.Empty(none);
        Assert.False(HashSequence.TryRead(new byte[33], out _));
        Assert.False(HashSequence.TryRead(new byte[HashSequence.LengthMax + 32], out _));
        BlobHash[] hashes = [BlobHash.Of([1]), BlobHash.Of([2]), BlobHash.Empty];
        HashSequence sequence = HashSequence.From(hashes);
        Assert.Equal(hashes, sequence);
        Assert.Equal(hashes[1], sequence[1]);
        Assert.Throws<ArgumentOutOfRangeException>(() => sequence[3]);
    }

    [Fact]
    public void Names_that_do_not_fit_the_hashes_are_refused()
    {
        var collection = new Collection([new("a", BlobHash.Of([1])), new("b", BlobHash.Of([2]))]);
        byte[] names = collection.NamesToBytes();
        HashSequence sequence = collection.ToHashSequence();
        Assert.True(Collection.TryRead(sequence, names, out _));
        Assert.False(Collection.TryRead(HashSequence.From(sequence.Take(2)), names, out _));
        Assert.False(Collection.TryRead(HashSequence.From([]), names, out _));
        Assert.False(Collection.TryRead(sequence, [], out _));
        names[0] ^= 1;
        Assert.False(Collection.TryRead(sequence, names, out _));
        names[0] ^= 1;
        names[^1] = 0xff; // not UTF-8
        Assert.False(Collection.TryRead(sequence, names, out _));
    }

    [Fact]
    public void Damaged_names_are_read_or_refused_and_never_throw()
    {
        var collection = new Collection([.. Enumerable.Range(0, 5).Select(i => new CollectionEntry($"file {i}", BlobHash.Of([(byte)i])))]);
        byte[] names = collection.NamesToBytes();
        HashSequence sequence = collection.ToHashSequence();
        for (ulong seed = 1; seed <= 3000; seed++)
        {
            var random = new SeededRandomSource(seed);
            byte[] damaged = names[..(int)(13 + random.NextBelow((ulong)names.Length - 12))];
            for (ulong i = random.NextBelow(4); i > 0 && damaged.Length > 13; i--)
                damaged[13 + random.NextBelow((ulong)damaged.Length - 13)] = (byte)random.NextUInt64();
            Exception? thrown = Record.Exception(() => Collection.TryRead(sequence, damaged, out _));
            Assert.True(thrown is null, $"seed {seed}: {thrown}");
        }
    }
}
