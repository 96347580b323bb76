namespace Blixard.Containers.Ext4;

/// <summary>Blocks that follow each other.</summary>
/// <param name="Start">The first block of the file system.</param>
/// <param name="Length">1 to 32768.</param>
internal readonly record struct Extent(long Start, int Length);

/// <summary>Gives blocks away one after the other, past the tables at each group's start. Not thread-safe.</summary>
internal sealed class BlockAllocator(Ext4Geometry geometry)
{
    // An extent that is written has at most 2^15 blocks (ext4_extent.ee_len).
    private const int ExtentLengthMax = 1 << 15;

    private long _next = geometry.MetadataBlocks(0);

    /// <summary>The next blocks, in as few runs as groups allow. The geometry was made to have them.</summary>
    public List<Extent> Allocate(long count)
    {
        var extents = new List<Extent>();
        while (count > 0)
        {
            int group = (int)(_next / Ext4Geometry.BlocksPerGroup);
            long end = Ext4Geometry.GroupStart(group) + geometry.GroupBlocks(group);
            if (_next == Ext4Geometry.GroupStart(group))
                _next += geometry.MetadataBlocks(group);
            int length = (int)Math.Min(Math.Min(count, end - _next), ExtentLengthMax);
            if (length <= 0)
                throw new InvalidOperationException("The file system was planned too small.");
            extents.Add(new Extent(_next, length));
            _next += length;
            count -= length;
        }

        return extents;
    }

    /// <summary>How many of a group's blocks are taken; they are its first ones.</summary>
    public int UsedBlocks(int group) =>
        (int)Math.Clamp(_next - Ext4Geometry.GroupStart(group), geometry.MetadataBlocks(group), geometry.GroupBlocks(group));
}
