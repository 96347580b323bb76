using Iroh.Blobs.Bao;
using Iroh.Blobs.Store.Backends;
using Iroh.Blobs.Store.Trees;
using Iroh.Cryptography;

namespace Iroh.Blobs.Tests.Store.Trees;

public sealed class GroupValuesTests
{
    private const int Group = BaoTree.GroupLength;

    [Theory]
    [InlineData(1)]
    [InlineData(Group)]
    [InlineData(Group + 1)]
    [InlineData(16 * Group)]
    [InlineData((16 * Group) + 1025)]
    [InlineData((35 * Group) - 3)]
    public void Groups_that_are_checked_together_match_up_to_the_first_wrong_one(int length)
    {
        (byte[] content, BlobHash root, IBlobFile outboard) = Make(length);
        int groups = ((length - 1) / Group) + 1;
        GroupValues values = GroupValues.Read(root, (ulong)length, outboard, 0);
        for (int first = 0; first < groups; first++)
        {
            Assert.Equal(groups - first, values.CountMatching((ulong)first, content.AsSpan(first * Group)));
            for (int wrong = first; wrong < groups; wrong++)
            {
                int at = Math.Min(length, (wrong + 1) * Group) - 1;
                content[at] ^= 4;
                Assert.Equal(wrong - first, values.CountMatching((ulong)first, content.AsSpan(first * Group)));
                content[at] ^= 4;
            }
        }
    }

    [Fact]
    public void A_group_whose_value_is_not_proven_does_not_match()
    {
        (byte[] content, BlobHash root, IBlobFile outboard) = Make(20 * Group);

        // The first pair is of 16 and 4 groups; the one for the last two of the 4 is the last.
        outboard.Write(outboard.Length - 1, [0]);
        outboard.Write(outboard.Length - 2, [0]);
        GroupValues values = GroupValues.Read(root, 20 * Group, outboard, 0);
        Assert.Equal(18, values.CountMatching(0, content));
        Assert.Equal(1, values.CountMatching(17, content.AsSpan(17 * Group)));
        Assert.Equal(0, values.CountMatching(18, content.AsSpan(18 * Group)));
    }

    [Fact]
    public void Groups_behind_the_run_do_not_match()
    {
        int length = (GroupValues.GroupsMax + 4) * Group;
        (byte[] content, BlobHash root, IBlobFile outboard) = Make(length);
        GroupValues values = GroupValues.Read(root, (ulong)length, outboard, 3);
        Assert.Equal(2, values.CountMatching(GroupValues.GroupsMax - 2, content.AsSpan((GroupValues.GroupsMax - 2) * Group)));
    }

    private static (byte[] Content, BlobHash Root, IBlobFile Outboard) Make(int length)
    {
        var content = new byte[length];
        new SeededRandomSource(7).Fill(content);
        BlobHash root = OutboardBuilder.Build(content, out byte[] pairs);
        return (content, root, new MemoryBlobFile(pairs));
    }
}
