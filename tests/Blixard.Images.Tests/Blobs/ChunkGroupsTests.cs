using Blixard.Images.Blobs;
using Blixard.Images.Tests.Support;
using Iroh.Blobs;

namespace Blixard.Images.Tests.Blobs;

public sealed class ChunkGroupsTests
{
    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 1)]
    [InlineData(ChunkGroups.GroupLength, 1)]
    [InlineData(ChunkGroups.GroupLength + 1, 2)]
    [InlineData(ChunkGroups.BlobSizeMax, 262_144)]
    public void A_blob_has_one_group_for_each_mebibyte_begun(long size, int count) => Assert.Equal(count, ChunkGroups.Count(size));

    [Theory]
    [InlineData(ChunkGroups.GroupLength + 1)]
    [InlineData(2 * ChunkGroups.GroupLength)]
    [InlineData((2 * ChunkGroups.GroupLength) + 1024)]
    [InlineData((3 * ChunkGroups.GroupLength) - 1)]
    [InlineData((5 * ChunkGroups.GroupLength) + 77)]
    public void The_values_of_all_groups_combine_to_the_hash_of_the_blob(int length)
    {
        byte[] content = TestDirectory.Content(1, length);

        Assert.Equal(BlobHash.Of(content), ChunkGroups.Combine(FakePeer.GroupListOf(content)));
    }

    [Fact]
    public void The_value_of_the_only_group_is_the_hash_of_the_blob()
    {
        byte[] content = TestDirectory.Content(2, ChunkGroups.GroupLength);

        Assert.Equal(BlobHash.Of(content), ChunkGroups.Hash(content, 0, isOnly: true));
        Assert.NotEqual(BlobHash.Of(content), ChunkGroups.Hash(content, 0, isOnly: false));
    }
}
